"""The population of vehicles: groups of look-alikes that share model and colour and differ by their marks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vreid_common.synthetic.charts import RGB
from vreid_common.synthetic.marks import Marks, sample_marks
from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.shapes import BODY_TYPES, Shape, sample_shape

__all__ = ["COLORS", "Vehicle", "make_vehicle"]

COLORS: tuple[tuple[str, RGB], ...] = (
    ("yellow", (222, 180, 40)), ("orange", (212, 105, 35)), ("green", (48, 100, 62)), ("gray", (118, 120, 124)),
    ("red", (158, 28, 34)), ("blue", (38, 66, 132)), ("white", (226, 227, 226)), ("golden", (176, 150, 104)),
    ("brown", (92, 64, 48)), ("black", (30, 30, 33)),
)  # fmt: skip
"""Paints; ``color_id`` is the index + 1, which is VeRi-776's colorID."""

_COLOR_SHARE = np.array([0.08, 0.06, 0.08, 0.14, 0.13, 0.13, 0.17, 0.07, 0.06, 0.08])
_TYPE_SHARE = np.array([0.20, 0.16, 0.11, 0.15, 0.09, 0.09, 0.05, 0.08, 0.07])

_POPULATION = 101  # first number of this module's random streams
_MODEL, _MEMBER = 0, 1

GROUP_SIZES = (2, 2, 3)
"""Sizes of the look-alike groups, taken in turn."""


@dataclass(frozen=True)
class Vehicle:
    """One identity. ``group`` numbers the look-alikes, which share all but ``marks``; ``design`` chooses lamps and grille."""

    index: int
    group: int
    type_id: int
    color_id: int
    shape: Shape
    paint: RGB
    design: int
    marks: Marks


@lru_cache(maxsize=64)
def make_vehicle(seed: int, domain: int, split: int, index: int) -> Vehicle:
    """Vehicle number ``index`` (from 0) of a split's population: a pure function of the arguments.

    Look-alikes stand next to each other, and no group reaches from one split into another.
    """
    cycle, rest = divmod(index, sum(GROUP_SIZES))
    group = cycle * len(GROUP_SIZES) + int(np.searchsorted(np.cumsum(GROUP_SIZES), rest, side="right"))
    model = generator(seed, _POPULATION, domain, split, _MODEL, group)
    type_index = int(model.choice(len(BODY_TYPES), p=_TYPE_SHARE))
    color_index = int(model.choice(len(COLORS), p=_COLOR_SHARE))
    paint = np.clip(np.array(COLORS[color_index][1]) + model.normal(0, 7, size=3) + model.normal(0, 6), 12, 240)
    return Vehicle(
        index=index,
        group=group,
        type_id=type_index + 1,
        color_id=color_index + 1,
        shape=sample_shape(BODY_TYPES[type_index], model),
        paint=(int(paint[0]), int(paint[1]), int(paint[2])),
        design=int(model.integers(12)),
        marks=sample_marks(generator(seed, _POPULATION, domain, split, _MEMBER, index)),
    )
