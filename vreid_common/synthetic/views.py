"""View bins: from which side a camera sees a vehicle."""

from __future__ import annotations

from vreid_common.structures import VIEWS

__all__ = ["view_of"]

_FRONT, _REAR, _SIDE = (VIEWS.index(name) for name in ("front", "rear", "side"))


def view_of(azimuth: float) -> int:
    """Index into ``VIEWS`` of the side that faces the camera.

    Args:
        azimuth: direction from the vehicle to the camera in degrees: 0 straight ahead of the vehicle, 90 on its left, 180 behind.
            Any real number; the circle's quarters are centred on these directions.
    """
    turn = abs((azimuth + 180.0) % 360.0 - 180.0)
    if turn <= 45.0:
        return _FRONT
    return _REAR if turn >= 135.0 else _SIDE
