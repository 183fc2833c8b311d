"""The labels of one rendered image, as ``vehicles.csv`` lists them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from vreid_common.data import DatasetError
from vreid_common.files import write_atomically
from vreid_common.structures import VIEWS
from vreid_common.synthetic.identity import COLORS, Vehicle
from vreid_common.synthetic.scene import Shot, Split
from vreid_common.synthetic.shapes import BODY_TYPES
from vreid_common.synthetic.views import view_of

__all__ = ["Record", "read_records", "record_of", "write_records"]


@dataclass(frozen=True)
class Record:
    """One row. ``path`` is relative to the file, ids count from 1; the rest is :class:`~vreid_common.synthetic.scene.Shot`'s.

    ``image_number`` counts the images of a vehicle from 1, ``frame`` those of a tracklet from 0; ``look_alikes`` numbers the
    group of vehicles of the same model and colour; ``timestamp`` counts camera frames.
    """

    path: str
    vehicle_id: int
    camera_id: int
    split: str
    track_id: int
    view: str
    frame: int
    timestamp: int
    image_number: int
    look_alikes: int
    type_id: int
    type: str
    color_id: int
    color: str
    orientation: float
    light_intensity: float
    light_direction: float
    camera_height: float
    camera_distance: float


def record_of(shot: Shot, vehicle: Vehicle, image_number: int) -> Record:
    """The labels of a shot, without a path."""
    tracklet = shot.tracklet
    split = "train" if tracklet.split == Split.TRAIN else "query" if shot.frame == tracklet.query else "gallery"
    return Record(
        path="",
        vehicle_id=tracklet.vehicle_id,
        camera_id=tracklet.camera + 1,
        split=split,
        track_id=tracklet.track_id,
        view=VIEWS[view_of(shot.azimuth)],
        frame=shot.frame,
        timestamp=shot.timestamp,
        image_number=image_number,
        look_alikes=vehicle.group + 1,
        type_id=vehicle.type_id,
        type=BODY_TYPES[vehicle.type_id - 1],
        color_id=vehicle.color_id,
        color=COLORS[vehicle.color_id - 1][0],
        orientation=round(shot.azimuth, 2),
        light_intensity=round(shot.light_intensity, 3),
        light_direction=round(shot.light_direction, 2),
        camera_height=round(shot.camera_height, 2),
        camera_distance=round(shot.camera_distance, 2),
    )


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Writes a CSV file that :class:`~vreid_common.data.datasets.CSVVehicles` reads too."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Record)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(map(vars, records))

    write_atomically(path, write)


def read_records(path: Path) -> list[Record]:
    """Reads what :func:`write_records` wrote.

    Raises:
        DatasetError: a row is not as it was written.
    """
    types = {field.name: {"str": str, "int": int, "float": float}[field.type] for field in fields(Record)}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        try:
            return [Record(**{name: read(row[name]) for name, read in types.items()}) for row in reader]
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{path}, row {reader.line_num} is damaged ({error}): delete the file and the data set is completed again."
            ) from error
