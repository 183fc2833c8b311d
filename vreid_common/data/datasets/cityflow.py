"""CityFlow-ReID and CityFlowV2-ReID, track 2 of the AI City Challenge."""

from collections.abc import Iterator
from typing import ClassVar

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.track_lists import read_numbered_tracks, read_tracks
from vreid_common.data.datasets.xml_labels import label_number, read_xml_labels
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["CityFlow", "CityFlowV2"]

_SPLITS = ("train", "query", "test")
_REQUIRED = (*((f"image_{split}",) for split in _SPLITS), ("train_label.xml",))


@DATASET_REGISTRY.register()
class CityFlow(FolderDataset):
    """CityFlow-ReID (2019, 2020): 36,935 training images of 333 vehicles, 1,052 queries, 18,290 gallery images.

    Source: Tang et al., "CityFlow: A City-Scale Benchmark for Multi-Target Multi-Camera Vehicle Tracking and Re-Identification"
    (CVPR 2019).

    In the folder AIC20_ReID (or one of ``folders``) under the data root:

    - image_train, image_query, image_test: images ``000001.jpg``;
    - name_train.txt, name_query.txt, name_test.txt, if there: the images of each split, in order; else all, sorted by name. A
      submission counts the gallery images in this order;
    - train_label.xml: vehicleID and cameraID (or camID); query_label.xml, test_label.xml, if there, likewise;
    - train_track.txt, test_track.txt (names) or train_track_id.txt, test_track_id.txt (numbers), if there: tracks.

    The vehicles of the test images are not published: their ``pid`` is unknown, unless a label file says it.
    """

    dataset_name = "CityFlow"
    title = "CityFlow-ReID"
    folders: ClassVar = ("AIC20_ReID", "AIC20_track2/AIC20_ReID", "AIC20", "AIC19_ReID", "aic19-track2-reid", "CityFlow")
    required = _REQUIRED

    def read_splits(self) -> Splits:
        train, query, test = (self._items(split) for split in _SPLITS)
        return train, query, test

    def inconsistencies(self) -> Iterator[str]:
        for split, items in zip(_SPLITS, (self.train, self.query, self.gallery), strict=True):
            names = {item.path.rpartition("/")[2] for item in items}
            yield from unlisted_images(self.folder / f"image_{split}", names, str(self.folder / f"name_{split}.txt"))
            labels = self.labels(read_xml_labels, self.folder / f"{split}_label.xml")
            tracks = self._tracks(split)
            for known, what in ((labels, "label"), (tracks, "track")):
                strangers, without = sorted(known.keys() - names), sorted(names - known.keys()) if known else []
                yield from (f"{name} has a {what} but is not an image of split {split!r}." for name in strangers)
                yield from (f"{name} of split {split!r} has no {what}." for name in without)

    def _items(self, split: str) -> list[VehicleImage]:
        folder, file = self.folder / f"image_{split}", self.folder / f"{split}_label.xml"
        labels = self.labels(read_xml_labels, file)
        tracks = self._tracks(split)
        items = []
        for name in self._names(split):
            label = labels.get(name, {})
            vehicle = label_number(label, "vehicleID")
            if split == "train" and vehicle == UNKNOWN:
                self.faults.append(f"{file} says no vehicleID of {name}, which is a training image.")
                continue
            items.append(
                VehicleImage(
                    path=f"{folder}/{name}",
                    pid=vehicle,
                    camid=label_number(label, "cameraID", "camID"),
                    track_id=tracks.get(name, UNKNOWN),
                    domain=DOMAINS.index("real"),
                    color_id=label_number(label, "colorID"),
                    type_id=label_number(label, "typeID"),
                )
            )
        return items

    def _names(self, split: str) -> list[str]:
        names = self.folder / f"name_{split}.txt"
        if names.is_file():
            return [name for (name,) in self.rows(names, {"image": str})]
        return sorted(path.name for path in (self.folder / f"image_{split}").glob("*.jpg"))

    def _tracks(self, split: str) -> dict[str, int]:
        names = self.labels(read_tracks, self.folder / f"{split}_track.txt")
        return names or self.labels(read_numbered_tracks, self.folder / f"{split}_track_id.txt")


@DATASET_REGISTRY.register()
class CityFlowV2(CityFlow):
    """CityFlowV2-ReID (2021, 2022): 52,717 training images of 440 vehicles; 1,103 queries and 31,238 gallery images.

    The same layout, in the folder AIC21_Track2_ReID; query_label.xml and test_label.xml give cameras, not vehicles.
    """

    dataset_name = "CityFlowV2"
    title = "CityFlowV2-ReID"
    folders: ClassVar = ("AIC21_Track2_ReID", "AIC22_Track2_ReID", "AIC21", "CityFlowV2")
