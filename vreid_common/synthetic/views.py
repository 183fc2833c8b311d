"""View bins: from which side a camera sees a vehicle."""

from __future__ import annotations

from vreid_common.structures import VIEWS

__all__ = ["view_of"]

_FRONT, _REAR, _SIDE = (VIEWS.index(name) for name in ("front", "rear", "side"))


def view_of(azimuth: float) -> int:
    """Index into ``VIEWS`` of the side that faces the camera.

    Args:
        azimuth: direction from the vehicle to the camera in degrees: 0 straight ahead of the vehicle, 90 on its left, 180
            behind; any real number. A three-quarter view counts as front or rear, as with the view labels of VeRi-776: side is
            within 22.5 degrees of a right angle.
    """
    turn = abs((azimuth + 180.0) % 360.0 - 180.0)
    if turn <= 67.5:
        return _FRONT
    return _REAR if turn >= 112.5 else _SIDE
