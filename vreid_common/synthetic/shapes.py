"""Body shapes: the dimensions of one vehicle model, drawn from the range of its type."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

__all__ = ["BODY_TYPES", "BoxShape", "CarShape", "Shape", "sample_shape"]

BODY_TYPES = ("sedan", "suv", "van", "hatchback", "mpv", "pickup", "bus", "truck", "estate")
"""Names of the types; ``type_id`` is the index + 1, which is VeRi-776's typeID."""


@dataclass(frozen=True)
class CarShape:
    """A body with a bonnet and a cabin. Metres; x positions are measured from the end they are named after.

    ``cowl`` nose to the foot of the windscreen, ``screen`` length of the windscreen along x, ``tail`` tail to the end of the
    roof, ``back`` tail to the foot of the rear window; heights ``nose``, ``belt`` (foot of the windows) and ``deck`` (behind
    them); ``tumble`` roof width over body width; ``side_windows`` how many panes behind the windscreen; ``bed`` open load bed.
    """

    length: float
    width: float
    height: float
    clearance: float
    nose: float
    belt: float
    deck: float
    cowl: float
    screen: float
    tail: float
    back: float
    tumble: float
    wheel: float
    front_overhang: float
    rear_overhang: float
    side_windows: int = 2
    bed: bool = False


@dataclass(frozen=True)
class BoxShape:
    """A bus (``cab`` 0: one box) or a truck with a ``cab`` of that length and ``cab_height`` before its load box. Metres."""

    length: float
    width: float
    height: float
    clearance: float
    wheel: float
    front_overhang: float
    rear_overhang: float
    cab: float = 0.0
    cab_height: float = 0.0


Shape = CarShape | BoxShape

# Type → range of each dimension, in the order of the fields above.
_CARS: dict[str, tuple[tuple[float, float], ...]] = {
    "sedan": ((4.45, 4.95), (1.76, 1.88), (1.41, 1.49), (0.17, 0.21), (0.70, 0.78), (0.92, 0.97), (0.98, 1.06), (1.15, 1.40),
              (0.68, 0.85), (1.15, 1.45), (0.50, 0.72), (0.72, 0.80), (0.31, 0.34), (0.85, 0.95), (0.95, 1.10)),
    "suv": ((4.35, 4.90), (1.83, 1.97), (1.66, 1.84), (0.24, 0.30), (0.92, 1.02), (1.08, 1.18), (1.10, 1.20), (1.05, 1.25),
            (0.50, 0.68), (0.30, 0.50), (0.13, 0.16), (0.78, 0.86), (0.36, 0.40), (0.85, 0.95), (0.85, 1.00)),
    "van": ((4.80, 5.60), (1.92, 2.05), (1.98, 2.45), (0.20, 0.26), (0.95, 1.05), (1.18, 1.28), (1.18, 1.28), (0.60, 0.85),
            (0.65, 0.85), (0.17, 0.22), (0.13, 0.15), (0.86, 0.93), (0.33, 0.36), (0.85, 0.95), (0.95, 1.15)),
    "hatchback": ((3.65, 4.20), (1.66, 1.80), (1.46, 1.55), (0.16, 0.20), (0.72, 0.80), (0.94, 1.00), (0.98, 1.06),
                  (0.85, 1.05), (0.68, 0.85), (0.40, 0.62), (0.13, 0.18), (0.72, 0.80), (0.29, 0.32), (0.72, 0.82),
                  (0.55, 0.68)),
    "mpv": ((4.45, 4.90), (1.78, 1.88), (1.64, 1.80), (0.17, 0.21), (0.80, 0.88), (1.02, 1.10), (1.04, 1.12), (0.78, 0.95),
            (0.80, 1.00), (0.30, 0.50), (0.13, 0.16), (0.76, 0.84), (0.31, 0.34), (0.85, 0.92), (0.80, 0.95)),
    "pickup": ((5.05, 5.50), (1.84, 1.98), (1.74, 1.86), (0.26, 0.32), (0.96, 1.05), (1.12, 1.20), (1.08, 1.18), (1.20, 1.40),
               (0.52, 0.66), (2.05, 2.40), (1.80, 1.95), (0.76, 0.83), (0.37, 0.40), (0.90, 0.98), (1.15, 1.25)),
    "estate": ((4.55, 4.90), (1.76, 1.86), (1.46, 1.54), (0.17, 0.21), (0.70, 0.78), (0.92, 0.98), (0.98, 1.05), (1.15, 1.35),
               (0.68, 0.82), (0.45, 0.75), (0.13, 0.18), (0.72, 0.80), (0.31, 0.34), (0.85, 0.93), (0.90, 1.05)),
}  # fmt: skip
_BOXES: dict[str, tuple[tuple[float, float], ...]] = {
    "bus": ((8.5, 11.0), (2.42, 2.52), (2.90, 3.15), (0.28, 0.36), (0.45, 0.50), (2.2, 2.6), (2.6, 3.0)),
    "truck": ((5.8, 7.8), (2.15, 2.40), (2.80, 3.30), (0.45, 0.55), (0.40, 0.46), (1.0, 1.2), (1.4, 1.8),
              (1.6, 1.95), (2.15, 2.45)),
}  # fmt: skip


def sample_shape(body_type: str, rng: np.random.Generator) -> Shape:
    """Draws the dimensions of a model of ``body_type`` (one of :data:`BODY_TYPES`)."""
    ranges = _CARS.get(body_type) or _BOXES[body_type]
    values = [float(rng.uniform(low, high)) for low, high in ranges]
    if body_type in _BOXES:
        return BoxShape(*values)
    shape = CarShape(*values)
    options = {"side_windows": int(rng.choice(_SIDE_WINDOWS[body_type])), "bed": body_type == "pickup"}
    return CarShape(**{f.name: getattr(shape, f.name) for f in fields(shape)} | options)


_SIDE_WINDOWS = {
    "sedan": (2, 3), "suv": (2, 3), "van": (1, 1, 3), "hatchback": (1, 2), "mpv": (3,), "pickup": (1, 2), "estate": (3,),
}  # fmt: skip
