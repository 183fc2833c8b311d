"""VRAI."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.base import DatasetError
from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.plain_pickle import load_plain_pickle
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["VRAI", "VRAITest"]

_TRAIN_NAME = re.compile(r"(\d+)_(\d+)_(\d+)\.jpg", re.IGNORECASE)
_TEST_NAME = re.compile(r"\w+_C(\d+)\.jpg", re.IGNORECASE)
_ATTRIBUTES = ("bumper", "wheel", "sky", "luggage")


@DATASET_REGISTRY.register()
class VRAI(FolderDataset):
    """VRAI, from drones: 66,113 training images of 6,302 vehicles; dev split of 3,855 queries, 55,753 gallery images.

    Source: Wang et al., "Vehicle Re-identification in Aerial Imagery: Dataset and Approach" (ICCV 2019).

    In the folder VRAI (or vrai) under the data root:

    - images_train: images ``00000000_0001_00000003.jpg`` (vehicle, camera, frame); images_dev: ``0009DI42_C1.jpg`` (camera);
    - train_annotation.pkl, test_dev_annotation.pkl: dicts with lists of names (train_im_names; query_order, gallery_order), and
      color_label, type_label, bumper_label, wheel_label, sky_label, luggage_label, by vehicle for training and by name for test
      images. They are read without running what is in them (``vreid_common.data.datasets.plain_pickle``).

    The vehicles of the test images are not published: their ``pid`` is unknown, unless the images are named as training images
    are. The images of a vehicle from one camera are a track.
    """

    dataset_name = "VRAI"
    title = "VRAI"
    folders = ("VRAI", "vrai")
    test: ClassVar[tuple[str, str]] = ("images_dev", "test_dev_annotation.pkl")
    required: ClassVar = (("images_train",), ("train_annotation.pkl",), *((name,) for name in test))

    def read_splits(self) -> Splits:
        images, annotation = self.test
        train, test = self._annotation("train_annotation.pkl"), self._annotation(annotation)
        self._tracks: dict[tuple[str, int, int], int] = {}
        return (
            [item for item in self._items("images_train", train, "train_im_names") if item.pid != UNKNOWN],
            self._items(images, test, "query_order"),
            self._items(images, test, "gallery_order"),
        )

    def inconsistencies(self) -> Iterator[str]:
        for folder, file, items in (
            ("images_train", "train_annotation.pkl", self.train),
            (*self.test, self.query + self.gallery),
        ):
            names = {item.path.rpartition("/")[2] for item in items}
            yield from unlisted_images(self.folder / folder, names, str(self.folder / file))

    def _annotation(self, name: str) -> dict[str, Any]:
        found = load_plain_pickle(self.folder / name)
        if not isinstance(found, dict):
            raise DatasetError(f"{self.folder / name} holds a {type(found).__name__}: expected a dict.")
        return found

    def _items(self, folder: str, annotation: Mapping[str, Any], key: str) -> list[VehicleImage]:
        names = annotation.get(key)
        names = names.tolist() if isinstance(names, np.ndarray) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.faults.append(f"{self.folder}: the annotation of {folder} has no list {key!r} of image names.")
            return []
        labels = {name: _by_key(annotation.get(f"{name}_label", {})) for name in ("color", "type", *_ATTRIBUTES)}
        items = []
        for name in names:
            train, test = _TRAIN_NAME.fullmatch(name), _TEST_NAME.fullmatch(name)
            if not train and (not test or folder == "images_train"):
                form = "00000000_0001_00000003.jpg" if folder == "images_train" else "0009DI42_C1.jpg"
                self.faults.append(f"{self.folder}: the image name {name[:100]!r} in {key!r} is not of the form {form}.")
                continue
            vehicle, camera, frame = map(int, train.groups()) if train else (UNKNOWN, int(test[1]), UNKNOWN)
            of_image = {label: values.get(name, values.get(vehicle)) for label, values in labels.items()}
            items.append(
                VehicleImage(
                    path=f"{self.folder}/{folder}/{name}",
                    pid=vehicle,
                    camid=camera,
                    track_id=self._tracks.setdefault((folder, vehicle, camera), len(self._tracks)) if train else UNKNOWN,
                    domain=DOMAINS.index("real"),
                    color_id=UNKNOWN if of_image["color"] is None else of_image["color"],
                    type_id=UNKNOWN if of_image["type"] is None else of_image["type"],
                    timestamp=frame,
                    attributes=tuple((label, float(of_image[label])) for label in _ATTRIBUTES if of_image[label] is not None),
                )
            )
        return items


def _by_key(labels: Any) -> dict[str | int, int]:
    """Whole numbers by image name, or by the vehicle's number, which may be text with zeros in front."""
    labels = labels if isinstance(labels, dict) else {}
    numbers = {key: int(value) for key, value in labels.items() if isinstance(value, int | np.integer)}
    return {int(key) if str(key).isdecimal() else str(key): value for key, value in numbers.items()}


@DATASET_REGISTRY.register()
class VRAITest(VRAI):
    """VRAI with the test split: 15,747 queries, 55,753 gallery images in images_test and test_annotation.pkl."""

    test: ClassVar[tuple[str, str]] = ("images_test", "test_annotation.pkl")
    required: ClassVar = (("images_train",), ("train_annotation.pkl",), *((name,) for name in test))
