"""CityFlow-ReID and CityFlowV2-ReID, track 2 of the AI City Challenge."""

import logging
from collections.abc import Iterator
from typing import ClassVar

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.base import DatasetError
from vreid_common.data.datasets.layout import FolderDataset, Splits
from vreid_common.data.datasets.track_lists import join_tracks, read_numbered_tracks, read_tracks
from vreid_common.data.datasets.xml_labels import label_number, read_xml_labels
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["CityFlow", "CityFlowV2"]

_logger = logging.getLogger(__name__)

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
    - train_track.txt, test_track.txt (names) and train_track_id.txt, test_track_id.txt (numbers), those that are there: tracks.
      Where both are, they are joined: in the copies of 2019 the former lacks the last image of each track.

    The vehicles of the test images are not published: their ``pid`` is unknown, unless a label file says it.
    """

    dataset_name = "CityFlow"
    title = "CityFlow-ReID"
    folders: ClassVar = ("AIC20_ReID", "AIC20_track2/AIC20_ReID", "AIC20", "AIC19_ReID", "aic19-track2-reid", "CityFlow")
    required = _REQUIRED

    def read_splits(self) -> Splits:
        self._tracks = {split: self._read_tracks(split) for split in _SPLITS}
        train, query, test = (self._items(split) for split in _SPLITS)
        return train, query, test

    def inconsistencies(self) -> Iterator[str]:
        for split, items in zip(_SPLITS, (self.train, self.query, self.gallery), strict=True):
            names = {item.path.rpartition("/")[2] for item in items}
            yield from self.folder_faults(self.folder / f"image_{split}", names, self.folder / f"name_{split}.txt")
            labels = self.labels(read_xml_labels, self.folder / f"{split}_label.xml")
            for known, what in ((labels, "label"), (self._tracks[split], "track")):
                strangers, without = sorted(known.keys() - names), sorted(names - known.keys()) if known else []
                yield from (f"{name} has a {what} but is not an image of split {split!r}." for name in strangers)
                yield from (f"{name} of split {split!r} has no {what}." for name in without)

    def _items(self, split: str) -> list[VehicleImage]:
        folder, file = self.folder / f"image_{split}", self.folder / f"{split}_label.xml"
        labels = self.labels(read_xml_labels, file)
        tracks = self._tracks[split]
        items = []
        for name in self.names(folder, self.folder / f"name_{split}.txt"):
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

    def _read_tracks(self, split: str) -> dict[str, int]:
        readers = {f"{split}_track.txt": read_tracks, f"{split}_track_id.txt": read_numbered_tracks}
        found = {self.folder / name: self.labels(read, self.folder / name) for name, read in readers.items()}
        lists = {path: tracks for path, tracks in found.items() if tracks}
        if len(lists) < 2:
            return next(iter(lists.values()), {})
        try:
            tracks = join_tracks(lists)
        except DatasetError as error:
            self.faults.append(str(error))
            return {}
        for path, images in lists.items():
            if len(images) < len(tracks):
                _logger.warning(
                    "%s lacks %s of the %s images that are in tracks by the lists beside it: all lists are read.",
                    path, f"{len(tracks) - len(images):,}", f"{len(tracks):,}",
                )  # fmt: skip
        return tracks


@DATASET_REGISTRY.register()
class CityFlowV2(CityFlow):
    """CityFlowV2-ReID (2021, 2022): 52,717 training images of 440 vehicles; 1,103 queries and 31,238 gallery images.

    The same layout, in the folder AIC21_Track2_ReID; query_label.xml and test_label.xml give cameras, not vehicles.
    """

    dataset_name = "CityFlowV2"
    title = "CityFlowV2-ReID"
    folders: ClassVar = ("AIC21_Track2_ReID", "AIC22_Track2_ReID", "AIC21", "CityFlowV2")
