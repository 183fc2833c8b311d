"""The folder layouts in which rendered vehicles are written. Each has ``vehicles.csv`` beside it, with all labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from vreid_common.files import write_atomically
from vreid_common.synthetic.record import Record
from vreid_common.synthetic.scene import Split

__all__ = ["LAYOUTS", "Layout"]


@dataclass(frozen=True)
class Layout:
    """Names of images and label files.

    Attributes:
        splits: the splits of the scene that the layout has room for.
        path: an image's path relative to the folder.
        write_labels: writes the layout's own label files into the folder.
    """

    splits: tuple[Split, ...]
    path: Callable[[Record], str]
    write_labels: Callable[[Path, Sequence[Record]], None]


def _csv_path(record: Record) -> str:
    return f"images/{record.vehicle_id:04d}_c{record.camera_id:03d}_t{record.track_id:05d}_{record.frame}.jpg"


_VERI_FOLDERS = {"train": "image_train", "query": "image_query", "gallery": "image_test"}


def _veri_path(record: Record) -> str:
    name = f"{record.vehicle_id:04d}_c{record.camera_id:03d}_{record.timestamp:08d}_{record.frame}.jpg"
    return f"{_VERI_FOLDERS[record.split]}/{name}"


def _vehiclex_path(record: Record) -> str:
    return f"sys_image_train/{record.vehicle_id:04d}_c{record.camera_id:03d}_{record.image_number}.jpg"


def _name(record: Record) -> str:
    return record.path.rsplit("/", 1)[1]


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _write_xml(path: Path, records: Sequence[Record], attributes: Callable[[Record], dict[str, str]]) -> None:
    root = ElementTree.Element("TrainingImages", Version="1.0")
    items = ElementTree.SubElement(root, "Items", number=str(len(records)))
    for record in records:
        ElementTree.SubElement(items, "Item", attributes(record))
    ElementTree.indent(root)
    write_atomically(path, lambda temporary: ElementTree.ElementTree(root).write(temporary, "utf-8", xml_declaration=True))


def _label(record: Record) -> dict[str, str]:
    return {
        "imageName": _name(record),
        "vehicleID": f"{record.vehicle_id:04d}",
        "cameraID": f"c{record.camera_id:03d}",
        "colorID": str(record.color_id),
        "typeID": str(record.type_id),
    }


def _vehiclex_label(record: Record) -> dict[str, str]:
    return _label(record) | {
        "orientation": str(record.orientation),
        "lightInt": str(record.light_intensity),
        "lightDir": str(record.light_direction),
        "camHei": str(record.camera_height),
        "camDis": str(record.camera_distance),
    }


def _write_veri(folder: Path, records: Sequence[Record]) -> None:
    for split, name in (("train", "train"), ("query", "query"), ("gallery", "test")):
        _write_lines(folder / f"name_{name}.txt", [_name(r) for r in records if r.split == split])
    for labels, splits in (("train", ("train",)), ("test", ("query", "gallery"))):
        chosen = [record for record in records if record.split in splits]
        _write_xml(folder / f"{labels}_label.xml", chosen, _label)
        tracks: dict[int, list[Record]] = defaultdict(list)
        for record in chosen:
            tracks[record.track_id].append(record)
        _write_lines(
            folder / f"{labels}_track.txt",
            (
                " ".join([f"{t[0].vehicle_id:04d}_c{t[0].camera_id:03d}_t{t[0].track_id:04d}", *map(_name, t)])
                for t in tracks.values()
            ),
        )
    _write_lines(folder / "views.csv", ["image,view", *(f"{_name(record)},{record.view}" for record in records)])


def _write_vehiclex(folder: Path, records: Sequence[Record]) -> None:
    _write_xml(folder / "train_label.xml", records, _vehiclex_label)


def _write_nothing(folder: Path, records: Sequence[Record]) -> None:
    """``vehicles.csv`` says everything."""


_BOTH = (Split.TRAIN, Split.TEST)
LAYOUTS: dict[str, Layout] = {
    "veri": Layout(_BOTH, _veri_path, _write_veri),
    "vehiclex": Layout((Split.TRAIN,), _vehiclex_path, _write_vehiclex),
    "csv": Layout(_BOTH, _csv_path, _write_nothing),
}
"""VeRi-776's layout, VehicleX's (training images only), and images with ``vehicles.csv`` alone."""
