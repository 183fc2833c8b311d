"""Colours and parts that the drawings of all body types share."""

from __future__ import annotations

from vreid_common.synthetic.charts import RGB, Chart, Charts, Kind
from vreid_common.synthetic.identity import Vehicle
from vreid_common.synthetic.marks import Marks

__all__ = [
    "AMBER", "BLACK", "CHROME", "GLASS", "LAMP", "PLASTIC", "RED", "SIDES", "lower_trim", "mirrored", "plate", "shaded",
]  # fmt: skip

GLASS: RGB = (34, 40, 46)
BLACK: RGB = (22, 22, 24)
PLASTIC: RGB = (48, 48, 50)
CHROME: RGB = (190, 190, 194)
LAMP: RGB = (225, 228, 232)
RED: RGB = (150, 14, 18)
AMBER: RGB = (215, 120, 25)
SIDES = ("left", "right")


def shaded(rgb: RGB, factor: float) -> RGB:
    """A darker (``factor`` < 1) or brighter colour."""
    r, g, b = (int(min(255, c * factor)) for c in rgb)
    return r, g, b


def mirrored(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """A polygon, and its mirror image on the vehicle's other half."""
    return points, [(-a, b) for a, b in points]


def plate(chart: Chart, z: float, marks: Marks) -> None:
    """Draws the number plate with its middle at height ``z``, metres."""
    chart.rectangle((-0.27, z - 0.065), (0.27, z + 0.065), marks.plate, Kind.MATTE)
    for place, dark in enumerate(marks.plate_blocks):
        if dark:
            a = -0.23 + 0.066 * place
            chart.rectangle((a, z - 0.04), (a + 0.045, z + 0.04), (30, 30, 36), Kind.MATTE)


def lower_trim(charts: Charts, vehicle: Vehicle, bottom: float, top: float) -> None:
    """Bumpers and sills below ``top``, in the marks' trim."""
    trim = vehicle.marks.trim
    color = PLASTIC if trim == "black" else shaded(vehicle.paint, 0.85)
    half = vehicle.shape.length / 2 + 0.1, vehicle.shape.width / 2 + 0.1
    for name in ("front", "rear"):
        charts[name].rectangle((-half[1], bottom), (half[1], top), color, Kind.MATTE if trim == "black" else Kind.PAINT)
        if trim == "chrome":
            charts[name].rectangle((-half[1], top - 0.03), (half[1], top + 0.02), CHROME, Kind.METAL)
    sill = bottom + 0.45 * (top - bottom)
    for name in SIDES:
        if trim == "black":
            charts[name].rectangle((-half[0], bottom), (half[0], sill), color, Kind.MATTE)
        charts[name].line([(-half[0], sill), (half[0], sill)], 0.02, shaded(vehicle.paint, 0.6), Kind.PAINT)
