"""An image of a data set with its labels, and the values that the labels take."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DOMAINS", "UNKNOWN", "VIEWS", "VehicleImage"]

UNKNOWN = -1
"""Value of a track, view, camera or domain that the data set's labels do not give."""

VIEWS = ("front", "rear", "side")
"""The view bins; ``view_id`` is an index into them."""

DOMAINS = ("real", "synthetic")
"""Where an image comes from; ``domain`` is an index into them."""


class VehicleImage(NamedTuple):
    """One image of a data set: FastReID's ``(path, pid, camid)`` with what vehicle data sets add.

    Indices 0-2 are FastReID's, so its samplers and tables keep working. As in FastReID, ``pid`` and ``camid`` of training
    items are strings with the data set's name (``"VeRi_12"``), so that several sets never collide; elsewhere they are ints.
    """

    path: str
    pid: int | str
    camid: int | str
    track_id: int = UNKNOWN
    view_id: int = UNKNOWN
    domain: int = UNKNOWN
