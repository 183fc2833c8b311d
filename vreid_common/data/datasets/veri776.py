"""VeRi-776."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.base import DatasetError, VehicleDataset, data_root, first_folder
from vreid_common.data.datasets.track_lists import read_tracks
from vreid_common.data.datasets.view_labels import read_orientations, read_views
from vreid_common.data.datasets.xml_labels import read_xml_labels
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["VeRi776", "parse_name"]

_FOLDERS = ("VeRi", "veri", "VeRi-776", "VeRi776")
_SPLITS = ("train", "query", "test")
_NAME = re.compile(r"(\d+)_c(\d+)_.*\.jpg", re.IGNORECASE)
_COLOURS, _TYPES = 10, 9


@DATASET_REGISTRY.register()
class VeRi776(VehicleDataset):
    """VeRi-776 with tracks and views: 37,778 training images of 576 vehicles, 1,678 queries, 11,579 gallery images of 200.

    Source: Liu et al., "PROVID: Progressive and Multimodal Vehicle Reidentification for Large-Scale Urban Surveillance"
    (IEEE TMM 2018). FastReID's own ``VeRi`` reads the same folder, without tracks and views.

    In the folder VeRi (or veri, VeRi-776, VeRi776) under ``root``:

    - image_train, image_query, image_test: images named ``0002_c002_00030600_0.jpg`` (vehicle, camera);
    - name_train.txt, name_query.txt, name_test.txt, if there: the images of each split, in order; else all, sorted by name;
    - train_track.txt, test_track.txt, if there: tracks. Evaluation image-to-track needs the latter;
    - keypoint_train.txt, keypoint_test.txt (orientations) or views.csv (columns image, view), if there: views;
    - train_label.xml, test_label.xml, if there: compared with the names by ``vreid check-data``.

    Args:
        root: data root.
    """

    dataset_name = "VeRi776"

    def __init__(self, root: str = "", **kwargs) -> None:
        root = root or data_root()
        faults = self.missing(root)
        if faults:
            raise DatasetError(faults[0])
        self.folder = first_folder(root, _FOLDERS)
        train = [self.train_item(item) for item in self._items("train")]
        super().__init__(train, self._items("query"), self._items("test"), **kwargs)

    @classmethod
    def missing(cls, root: str, **kwargs) -> list[str]:
        folder = first_folder(root, _FOLDERS)
        if not folder.is_dir():
            names = ", ".join(_FOLDERS[:-1])
            return [
                f"There is no folder {names} or {_FOLDERS[-1]} under {root}: set FASTREID_DATASETS to the folder that holds it."
            ]
        absent = [folder / f"image_{split}" for split in _SPLITS if not (folder / f"image_{split}").is_dir()]
        return [f"VeRi-776 needs the folder {path}, which is not there." for path in absent]

    def inconsistencies(self) -> Iterator[str]:
        for split in _SPLITS:
            for name in sorted(set(_image_files(self.folder / f"image_{split}")) - set(self._names(split))):
                yield f"{self.folder / f'image_{split}' / name} is not listed in {self.folder / f'name_{split}.txt'}."
        for labels, splits in (("train", ["train"]), ("test", ["query", "test"])):
            named = {name for split in splits for name in self._names(split)}
            yield from _track_faults(self.folder / f"{labels}_track.txt", named, set(self._names(labels)))
            yield from _label_faults(self.folder / f"{labels}_label.xml", named, set(self._names(labels)))

    def _items(self, split: str) -> list[VehicleImage]:
        labels = "train" if split == "train" else "test"
        tracks = _if_there(read_tracks, self.folder / f"{labels}_track.txt")
        views = _if_there(read_orientations, self.folder / f"keypoint_{labels}.txt")
        views |= _if_there(read_views, self.folder / "views.csv")
        return [
            VehicleImage(
                path=str(self.folder / f"image_{split}" / name),
                pid=pid,
                camid=camid,
                track_id=tracks.get(name, UNKNOWN),
                view_id=views.get(name, UNKNOWN),
                domain=DOMAINS.index("real"),
            )
            for name in self._names(split)
            for pid, camid in [self._labels(name)]
        ]

    def _names(self, split: str) -> list[str]:
        names = self.folder / f"name_{split}.txt"
        return names.read_text(encoding="utf-8").split() if names.is_file() else _image_files(self.folder / f"image_{split}")

    def _labels(self, name: str) -> tuple[int, int]:
        labels = parse_name(name)
        if labels is None:
            raise DatasetError(f"{self.folder}: the image name {name!r} is not of the form 0002_c002_00030600_0.jpg.")
        return labels


def parse_name(name: str) -> tuple[int, int] | None:
    """``pid`` and ``camid`` (from 0) that an image's name gives; None where it is not of the form 0002_c002_00030600_0.jpg."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2]) - 1) if match else None


def _image_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() == ".jpg")


def _if_there(read: Callable[[Path], dict[str, int]], path: Path) -> dict[str, int]:
    return read(path) if path.is_file() else {}


def _track_faults(path: Path, named: set[str], tracked: set[str]) -> Iterator[str]:
    """``named`` images may be in a track, ``tracked`` ones must be."""
    if not path.is_file():
        return
    tracks = read_tracks(path)
    yield from (f"{path}, track {tracks[name] + 1}: {name} is in no split." for name in sorted(set(tracks) - named))
    yield from (f"{path}: {name} is in no track." for name in sorted(tracked - set(tracks)))


def _label_faults(path: Path, named: set[str], labelled: set[str]) -> Iterator[str]:
    """Compares names with labels: ``named`` images may have a label, ``labelled`` ones must."""
    if not path.is_file():
        return
    labels = read_xml_labels(path)
    yield from (f"{path}: {name} has no label." for name in sorted(labelled - set(labels)))
    for name, label in labels.items():
        match = _NAME.fullmatch(name)
        if not match or name not in named:
            yield f"{path}: {name} is in no split."
            continue
        for key, said in (("vehicleID", match[1]), ("cameraID", match[2])):
            number = label.get(key, "").lstrip("c")
            if not number.isdigit() or int(number) != int(said):
                yield f"{path}: {name} has {key} {label.get(key)!r}, and its name says {said}."
        for key, count in (("colorID", _COLOURS), ("typeID", _TYPES)):
            if not label.get(key, "").isdigit() or not 1 <= int(label[key]) <= count:
                yield f"{path}: {name} has {key} {label.get(key)!r}, which is not a number from 1 to {count}."
