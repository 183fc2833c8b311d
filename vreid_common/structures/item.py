"""An image of a data set with its labels, and the values that the labels take."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DOMAINS", "UNKNOWN", "VIEWS", "VehicleImage"]

UNKNOWN = -1
"""Value of a label that the data set does not give."""

VIEWS = ("front", "rear", "side")
"""The view bins; ``view_id`` is an index into them."""

DOMAINS = ("real", "synthetic")
"""Where an image comes from; ``domain`` is an index into them."""


class VehicleImage(NamedTuple):
    """One image of a data set: FastReID's ``(path, pid, camid)`` with what vehicle data sets add.

    Indices 0-2 are FastReID's, so its samplers and tables keep working. As in FastReID, ``pid`` and ``camid`` of training
    items are strings with the data set's name (``"VeRi_12"``), so that several sets never collide; elsewhere they are ints.

    Attributes:
        track_id: pass of the vehicle before one camera, numbered within the split.
        view_id: index into ``VIEWS``.
        domain: index into ``DOMAINS``.
        color_id, type_id, model_id: the data set's own numbers of colour, body type, and make and model.
        timestamp: time on the data set's own clock, in its frames or seconds.
        orientation: heading of the vehicle in degrees, in the data set's own convention.
        attributes: further labels as (name, number), under the names that the data set has for them.
        vehicle, camera, track: what the data's owner calls them; "" is the number as it is written.
    """

    path: str
    pid: int | str
    camid: int | str
    track_id: int = UNKNOWN
    view_id: int = UNKNOWN
    domain: int = UNKNOWN
    color_id: int = UNKNOWN
    type_id: int = UNKNOWN
    model_id: int = UNKNOWN
    timestamp: int = UNKNOWN
    orientation: float = UNKNOWN
    attributes: tuple[tuple[str, float], ...] = ()
    vehicle: str = ""
    camera: str = ""
    track: str = ""

    @property
    def vehicle_name(self) -> str:
        """What the owner calls the vehicle; of a training item without the data set's name."""
        return self.vehicle or str(self.pid).rpartition("_")[2]

    @property
    def camera_name(self) -> str:
        """Likewise the camera."""
        return self.camera or str(self.camid).rpartition("_")[2]

    @property
    def track_name(self) -> str:
        """Likewise the track."""
        return self.track or str(self.track_id)

    @property
    def class_name(self) -> str:
        """Of the class that a training item is of: its ``pid`` with the vehicle's name in the place of the number."""
        prefix, mark, _ = str(self.pid).rpartition("_")
        return f"{prefix}{mark}{self.vehicle_name}"
