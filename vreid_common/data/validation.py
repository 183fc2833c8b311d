"""A validation split: identities held out of the training images, for choosing what must not be chosen on the test images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from vreid_common.data.datasets import DatasetError
from vreid_common.structures import UNKNOWN, VehicleImage

__all__ = ["ValidationSplit", "hold_out"]

_Label = int | str


class ValidationSplit(NamedTuple):
    """Training items with string ids as before; query and gallery items with int ids, as a test set has them."""

    train: list[VehicleImage]
    query: list[VehicleImage]
    gallery: list[VehicleImage]


def hold_out(items: Sequence[VehicleImage], num_ids: int, seed: int) -> ValidationSplit:
    """Draws identities that are not trained, and divides their images into queries and a gallery.

    Only identities with two or more images are drawn, as the others have no match. Of a drawn identity each camera that has
    two or more images of it gives one as a query (VeRi-776's way); where none has, one image of the identity is the query.

    The result depends on the items and the seed alone.

    Args:
        items: the training images of one data set.
        num_ids: how many identities to hold out.
        seed: not negative.

    Raises:
        DatasetError: there are not so many identities, and one to train on.
    """
    by_pid: dict[_Label, list[VehicleImage]] = defaultdict(list)
    for item in items:
        by_pid[item.pid].append(item)
    candidates = [pid for pid in _in_order(by_pid) if len(by_pid[pid]) > 1]
    if num_ids > len(candidates) or num_ids >= len(by_pid):
        raise DatasetError(
            f"{num_ids} identities are to be held out of {len(by_pid)}, {len(candidates)} of which have two or more images: "
            "at least one is needed to train on."
        )
    rng = np.random.default_rng(seed)
    drawn = {candidates[place] for place in rng.choice(len(candidates), num_ids, replace=False)}
    numbers = {pid: number for number, pid in enumerate(_in_order(by_pid))}
    cameras = {camid: number for number, camid in enumerate(_in_order({item.camid for item in items} - {UNKNOWN}))}
    cameras[UNKNOWN] = UNKNOWN
    split = ValidationSplit([item for item in items if item.pid not in drawn], [], [])
    for pid in _in_order(drawn):
        queries = _queries(by_pid[pid], rng)
        for place, item in enumerate(by_pid[pid]):
            side = split.query if place in queries else split.gallery
            camera = "" if item.camid == UNKNOWN else item.camera_name
            side.append(item._replace(pid=numbers[pid], camid=cameras[item.camid], vehicle=item.vehicle_name, camera=camera))
    return split


def _queries(images: Sequence[VehicleImage], rng: np.random.Generator) -> set[int]:
    """Places of an identity's query images."""
    by_camera: dict[_Label, list[int]] = defaultdict(list)
    for place, item in enumerate(images):
        by_camera[item.camid].append(place)
    # The order of the cameras, and so what is drawn for each, follows that of the images.
    several = [places for places in by_camera.values() if len(places) > 1] or [list(range(len(images)))]
    return {places[rng.integers(len(places))] for places in several}


def _in_order(labels: Iterable[_Label]) -> list[_Label]:
    return sorted(labels, key=lambda label: (isinstance(label, str), label))
