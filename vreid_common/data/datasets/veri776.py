"""VeRi-776."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.layout import FolderDataset, Splits
from vreid_common.data.datasets.track_lists import read_tracks
from vreid_common.data.datasets.view_labels import read_orientations, read_views
from vreid_common.data.datasets.xml_labels import label_number, read_xml_labels
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["VeRi776", "named_item"]

_SPLITS = ("train", "query", "test")
_NAME = re.compile(r"(\d+)_c(\d+)_(\d*).*\.jpg", re.IGNORECASE)
_COLOURS, _TYPES = 10, 9


@DATASET_REGISTRY.register()
class VeRi776(FolderDataset):
    """VeRi-776 with tracks and views: 37,778 training images of 576 vehicles, 1,678 queries, 11,579 gallery images of 200.

    Source: Liu et al., "PROVID: Progressive and Multimodal Vehicle Reidentification for Large-Scale Urban Surveillance"
    (IEEE TMM 2018). FastReID's own ``VeRi`` reads the same folder where it is called veri, without tracks and views.

    In the folder VeRi (or veri, VeRi-776, VeRi776) under ``root``:

    - image_train, image_query, image_test: images named ``0002_c002_00030600_0.jpg`` (vehicle, camera, time);
    - name_train.txt, name_query.txt, name_test.txt, if there: the images of each split, in order; else all, sorted by name;
    - train_track.txt, test_track.txt, if there: tracks. Evaluation image-to-track needs the latter;
    - keypoint_train.txt, keypoint_test.txt (orientations) or views.csv (columns image, view), if there: views;
    - train_label.xml, test_label.xml, if there: colours (1-10) and types (1-9); ``vreid check-data`` compares them with names.
    """

    dataset_name = "VeRi776"
    title = "VeRi-776"
    folders = ("VeRi", "veri", "VeRi-776", "VeRi776")
    required: ClassVar = tuple((f"image_{split}",) for split in _SPLITS)

    def read_splits(self) -> Splits:
        train, query, test = (self._items(split) for split in _SPLITS)
        return train, query, test

    def inconsistencies(self) -> Iterator[str]:
        for split in _SPLITS:
            images, names = self.folder / f"image_{split}", self.folder / f"name_{split}.txt"
            yield from self.folder_faults(images, set(self._names(split)), names)
        for labels, splits in (("train", ["train"]), ("test", ["query", "test"])):
            named = {name for split in splits for name in self._names(split) if _NAME.fullmatch(name)}
            listed = named.intersection(self._names(labels))
            yield from self._track_faults(self.folder / f"{labels}_track.txt", named, listed)
            yield from self._label_faults(self.folder / f"{labels}_label.xml", named, listed)

    def _items(self, split: str) -> list[VehicleImage]:
        part = "train" if split == "train" else "test"
        images = self.folder / f"image_{split}"
        tracks = self.labels(read_tracks, self.folder / f"{part}_track.txt")
        views = self.labels(read_orientations, self.folder / f"keypoint_{part}.txt")
        views |= self.labels(read_views, self.folder / "views.csv")
        labels = self.labels(read_xml_labels, self.folder / f"{part}_label.xml")
        items = []
        for name in self._names(split):
            match, label = _NAME.fullmatch(name), labels.get(name, {})
            if not match:
                self.faults.append(f"{self.folder}: the image name {name!r} is not of the form 0002_c002_00030600_0.jpg.")
                continue
            items.append(
                VehicleImage(
                    path=f"{images}/{name}",
                    pid=int(match[1]),
                    camid=int(match[2]) - 1,
                    camera=f"c{match[2]}",
                    track_id=tracks.get(name, UNKNOWN),
                    view_id=views.get(name, UNKNOWN),
                    domain=DOMAINS.index("real"),
                    color_id=label_number(label, "colorID"),
                    type_id=label_number(label, "typeID"),
                    timestamp=int(match[3]) if match[3] else UNKNOWN,
                )
            )
        return items

    def _names(self, split: str) -> list[str]:
        return self.names(self.folder / f"image_{split}", self.folder / f"name_{split}.txt")

    def _track_faults(self, path: Path, named: set[str], tracked: set[str]) -> Iterator[str]:
        """``named`` images may be in a track, ``tracked`` ones must be."""
        tracks = self.labels(read_tracks, path)
        if tracks:
            yield from (f"{path}, track {tracks[name] + 1}: {name} is in no split." for name in sorted(set(tracks) - named))
            yield from (f"{path}: {name} is in no track." for name in sorted(tracked - set(tracks)))

    def _label_faults(self, path: Path, named: set[str], labelled: set[str]) -> Iterator[str]:
        """Compares names with labels: ``named`` images may have a label, ``labelled`` ones must."""
        labels = self.labels(read_xml_labels, path)
        if labels:
            yield from (f"{path}: {name} has no label." for name in sorted(labelled - set(labels)))
        for name, label in labels.items():
            match = _NAME.fullmatch(name)
            if not match or name not in named:
                yield f"{path}: {name} is in no split."
                continue
            for key, said in (("vehicleID", match[1]), ("cameraID", match[2])):
                if label_number(label, key) != int(said):
                    yield f"{path}: {name} has {key} {label.get(key)!r}, and its name says {said}."
            for key, count in (("colorID", _COLOURS), ("typeID", _TYPES)):
                if not 1 <= label_number(label, key) <= count:
                    yield f"{path}: {name} has {key} {label.get(key)!r}, which is not a number from 1 to {count}."


def named_item(path: str) -> VehicleImage | None:
    """An image with what its name says; None where it is not of the form 0002_c002_00030600_0.jpg."""
    match = _NAME.fullmatch(path.rpartition("/")[2])
    return VehicleImage(path, int(match[1]), int(match[2]) - 1, camera=f"c{match[2]}") if match else None
