"""Anybody's images, listed in a CSV file (docs/custom-data.md)."""

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastreid.config import CfgNode
from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.base import DatasetError, VehicleDataset, data_root
from vreid_common.kinds import not_a_table, not_there
from vreid_common.structures import UNKNOWN, UNKNOWN_TEXTS, VIEWS, WHOLE_NUMBER, VehicleImage, number_names

__all__ = ["CSVVehicles", "read_csv_items"]

_REQUIRED = ("path", "vehicle_id", "split")
_OPTIONAL = ("camera_id", "track_id", "view", "timestamp")
_SPLITS = ("train", "query", "gallery")

_Numbers = dict[str, dict[str, int]]

_logger = logging.getLogger(__name__)


@DATASET_REGISTRY.register()
class CSVVehicles(VehicleDataset):
    """Images listed in ``cfg.DATASETS.CSV.FILE``.

    Columns: path (absolute, or relative to the file), vehicle_id, split (train, query or gallery) and optionally
    camera_id, track_id, view (front, rear or side) and timestamp (a whole number); further columns are ignored. An empty
    field, or -1, is unknown; a training image has a vehicle, others need none (in the gallery they are distractors).

    Ids are numbered as they are where all ids of a column are whole numbers; otherwise in sorted order. Items keep their names.
    Where the camera is not known, no gallery image is left out for having the query's camera.

    Args:
        root: data root; a relative ``file`` is looked for in the working directory, then here.
        file: the CSV file, UTF-8, separated by commas.
        tolerant: leave faulty rows out instead of raising, keep what was wrong in ``faults``, and look for no image.
    """

    dataset_name = "CSVVehicles"
    tolerant = True
    tracks_of_all_splits = True

    def __init__(self, root: str = "", file: str = "", *, tolerant: bool = False, **kwargs) -> None:
        path = _locate(root or data_root(), file)
        rows, self.faults = _read_rows(path)
        faults = self.faults or _missing_first_images(path, rows)
        if faults and not (tolerant and rows):
            raise DatasetError(faults[0])
        numbers = _number_labels(rows)
        by_split = {split: _items(path, rows, numbers, split) for split in _SPLITS}
        unknown = sum(item.camid == UNKNOWN for items in by_split.values() for item in items)
        if unknown:
            _logger.warning(
                "%s: %d of %d images have no camera_id; no gallery image is excluded for the camera of such an image.",
                path, unknown, len(rows),
            )  # fmt: skip
        train = [self.train_item(item) for item in by_split["train"]]
        super().__init__(train, by_split["query"], by_split["gallery"], **kwargs)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, str]:
        """Keyword arguments of the constructor."""
        return {"file": cfg.DATASETS.CSV.FILE}

    @classmethod
    def missing(cls, root: str, file: str = "", **kwargs) -> list[str]:
        try:
            rows, faults = _read_rows(_locate(root, file))
        except DatasetError as error:
            return [str(error)]
        return [] if rows else faults


def read_csv_items(path: Path) -> dict[str, list[VehicleImage]]:
    """The images of each split in the order of the file; whether the images are there is not looked at.

    Raises:
        DatasetError: the file is missing, or a row is not as it must be.
    """
    if not path.is_file() or not_a_table(path):
        raise DatasetError(not_a_table(path) or not_there(path))
    rows, faults = _read_rows(path)
    if faults:
        raise DatasetError(faults[0])
    numbers = _number_labels(rows)
    return {split: _items(path, rows, numbers, split) for split in _SPLITS}


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    path: str
    vehicle_id: str
    split: str
    camera_id: str = ""
    track_id: str = ""
    view: str = ""
    timestamp: str = ""


def _locate(root: str, file: str) -> Path:
    if not file:
        raise DatasetError(
            "DATASETS.CSV.FILE is empty: set it to a CSV file with the columns path, vehicle_id, camera_id and split."
        )
    for path in (Path(file), Path(root) / file):
        if path.exists() and not_a_table(path):
            raise DatasetError(not_a_table(path))
        if path.is_file():
            return path
    if "\\" in file:
        raise DatasetError(not_there(file))
    places = f"in the working directory {Path.cwd()} or under FASTREID_DATASETS ({root})"
    raise DatasetError(
        f"DATASETS.CSV.FILE is {file!r}, and there is no such file" + ("." if Path(file).is_absolute() else f" {places}.")
    )


def _read_rows(path: Path) -> tuple[list[_Row], list[str]]:
    """The good rows, and one sentence for each fault."""
    rows: list[_Row] = []
    faults: list[str] = []
    line = 1
    try:
        # utf-8-sig drops the byte order mark that spreadsheets write.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            fault = _header_fault(header)
            if fault:
                return [], [f"{path}, row 1: {fault}"]
            for values in reader:
                line = reader.line_num
                fields = [value.strip() for value in values]
                if not any(fields):
                    continue
                fault = _row_fault(header, fields)
                if fault:
                    faults.append(f"{path}, row {line}: {fault}")
                else:
                    known = {name: value for name, value in zip(header, fields, strict=True) if name in _REQUIRED + _OPTIONAL}
                    rows.append(_Row(line=line, **known))
    except UnicodeDecodeError as error:
        return [], [f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8."]
    except (csv.Error, OSError) as error:
        return [], [f"{path}, after row {line}: {error}."]
    if not rows and not faults:
        faults.append(f"{path} lists no images.")
    return rows, faults


def _header_fault(header: list[str]) -> str:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        return "the columns are not separated by commas: save the file as comma-separated."
    absent = [name for name in _REQUIRED if name not in header]
    if absent:
        return f"there is no column {' or '.join(absent)}; the columns are {', '.join(header) or 'none'}."
    twice = sorted({name for name in _REQUIRED + _OPTIONAL if header.count(name) > 1})
    return f"the column {twice[0]} is there twice." if twice else ""


def _row_fault(header: list[str], fields: list[str]) -> str:
    if len(fields) != len(header):
        return f"{len(fields)} fields for {len(header)} columns; a path with a comma needs quotes."
    if any("\0" in field for field in fields):
        return "it holds a NUL byte, which no path and no name has: write the file again."
    row = dict(zip(header, fields, strict=True))
    for name in ("path", "split"):
        if not row[name]:
            return f"{name} is empty."
    if row["split"] == "test":
        return "split is 'test': write 'query' for the images that are searched with and 'gallery' for those that are searched."
    if row["split"] not in _SPLITS:
        return f"split is {row['split']!r}: write train, query or gallery."
    if row["split"] == "train" and row["vehicle_id"] in UNKNOWN_TEXTS:
        return f"vehicle_id is {row['vehicle_id'] or 'empty'}, which is unknown: a training image needs its vehicle."
    if row.get("view", "") not in (*UNKNOWN_TEXTS, *VIEWS):
        return f"view is {row['view']!r}: write {', '.join(VIEWS)}, or nothing."
    if row.get("timestamp", "") not in UNKNOWN_TEXTS and not WHOLE_NUMBER.fullmatch(row["timestamp"]):
        return f"timestamp is {row['timestamp']!r}: write a whole number, of seconds or frames, or nothing."
    return ""


def _missing_first_images(path: Path, rows: Iterable[_Row]) -> list[str]:
    """Looks for one image a split, which catches paths with a wrong base; ``vreid check-data`` looks for all."""
    firsts = {row.split: row for row in reversed(list(rows))}
    return [
        f"{path}, row {row.line}: there is no image {path.parent / row.path}; {_path_advice(row)}"
        for row in firsts.values()
        if not (path.parent / row.path).exists()
    ]


def _path_advice(row: _Row) -> str:
    if "\\" in row.path:
        return "the path has backslashes: write / instead."
    return "paths start at the folder of the CSV file."


def _number_labels(rows: list[_Row]) -> _Numbers:
    """The numbers that stand for the labels of a column, over all splits."""
    return {column: number_names(getattr(row, column) for row in rows) for column in ("vehicle_id", "camera_id", "track_id")}


def _items(path: Path, rows: list[_Row], numbers: _Numbers, split: str) -> list[VehicleImage]:
    return [
        VehicleImage(
            path=str(path.parent / row.path),
            pid=numbers["vehicle_id"][row.vehicle_id],
            camid=numbers["camera_id"][row.camera_id],
            track_id=numbers["track_id"][row.track_id],
            view_id=VIEWS.index(row.view) if row.view in VIEWS else UNKNOWN,
            timestamp=UNKNOWN if row.timestamp in UNKNOWN_TEXTS else int(row.timestamp),
            vehicle=_name(row.vehicle_id, numbers["vehicle_id"]),
            camera=_name(row.camera_id, numbers["camera_id"]),
            track=_name(row.track_id, numbers["track_id"]),
        )
        for row in rows
        if row.split == split
    ]


def _name(text: str, numbers: dict[str, int]) -> str:
    return "" if text in UNKNOWN_TEXTS or text == str(numbers[text]) else text
