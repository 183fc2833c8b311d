"""Draws a vehicle's stickers and painted signs into its charts."""

from __future__ import annotations

import numpy as np

from vreid_common.synthetic.body import cabin_x
from vreid_common.synthetic.charts import Chart, Charts, Kind
from vreid_common.synthetic.marks import Decal
from vreid_common.synthetic.shapes import CarShape, Shape

__all__ = ["draw_decals"]

Zone = tuple[tuple[str, ...], float, float, float, float]
"""Charts, and the rectangle (low across, low up, high across, high up) in vehicle coordinates."""


def draw_decals(charts: Charts, shape: Shape, decals: tuple[Decal, ...]) -> None:
    """Draws each decal on the charts of its zone: one on a door is on both sides of the vehicle."""
    zones = _zones(shape)
    for decal in decals:
        names, a0, b0, a1, b1 = zones[decal.zone]
        width, height = _extent(decal, a1 - a0, b1 - b0)
        a = a0 + decal.x * (a1 - a0 - width)
        b = b0 + decal.y * (b1 - b0 - height)
        for name in names:
            _draw(charts[name], decal, (a, b), (a + width, b + height))


def _extent(decal: Decal, width: float, height: float) -> tuple[float, float]:
    """Size of a decal in a zone of this size, metres."""
    if decal.kind == "stripe":  # the long way through the zone
        return (width, height * 0.32 * decal.size) if width >= height else (width * 0.32 * decal.size, height)
    if decal.kind == "checker":
        return width * decal.size, min(height * 0.5, 0.30)
    if decal.kind == "disc":
        return (min(width, height) * decal.size,) * 2
    return width * decal.size, height * (0.35 + 0.5 * decal.size)


def _draw(chart: Chart, decal: Decal, low: tuple[float, float], high: tuple[float, float]) -> None:
    if decal.kind == "text":
        chart.text(decal.text, low, high, decal.rgb)
    elif decal.kind == "disc":
        center, radius = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2), (high[0] - low[0]) / 2
        chart.disc(center, radius, decal.rgb, Kind.PAINT)
        chart.disc(center, radius * 0.55, decal.accent, Kind.PAINT)
    elif decal.kind == "checker":
        side = (high[1] - low[1]) / 2
        for i in range(max(2, round((high[0] - low[0]) / side))):
            for j in range(2):
                corner = (low[0] + i * side, low[1] + j * side)
                color = decal.rgb if (i + j) % 2 else decal.accent
                chart.rectangle(corner, (corner[0] + side, corner[1] + side), color, Kind.PAINT)
    else:  # a patch or a stripe, with a band of its second colour
        chart.rectangle(low, high, decal.rgb, Kind.PAINT)
        third = np.subtract(high, low) / 3
        if third[0] >= third[1]:
            chart.rectangle((low[0], low[1] + third[1]), (high[0], low[1] + 1.6 * third[1]), decal.accent, Kind.PAINT)
        else:
            chart.rectangle((low[0] + third[0], low[1]), (low[0] + 1.6 * third[0], high[1]), decal.accent, Kind.PAINT)


def _zones(shape: Shape) -> dict[str, Zone]:
    half, front, rear = shape.width / 2, shape.length / 2, -shape.length / 2
    sides = ("left", "right")
    if isinstance(shape, CarShape):
        cowl, roof_front, roof_rear, _ = cabin_x(shape)
        low, belt, deck, edge = shape.clearance, shape.belt, shape.deck, shape.height - 0.17
        upper = edge if shape.height > 1.9 else belt - 0.05  # a van has room for signs up to its roof
        return {
            "doors": (sides, rear + 0.95, low + 0.32, cowl - (0.9 if upper == edge else 0.1), upper),
            "sill": (sides, rear + 0.8, low + 0.08, front - 0.9, low + 0.36),
            "bonnet": (("top",), cowl + 0.08, -0.6 * half, front - 0.35, 0.6 * half),
            "roof": (("top",), roof_rear, -0.62 * half, roof_front, 0.62 * half),
            "windscreen": (("front",), -0.6 * half, shape.height - 0.30, 0.6 * half, shape.height - 0.12),
            "rear_window": (("rear",), -0.66 * half, deck + 0.08, 0.66 * half, deck + 0.6 * (edge - deck)),
            "tail": (("rear",), -0.55 * half, low + 0.30, 0.55 * half, deck - 0.08),
            "nose": (("front",), -0.85 * half, low + 0.05, 0.85 * half, low + 0.32),
        }
    floor = shape.clearance + 0.45
    rear_top, load_front = shape.height - 0.25, front - shape.cab - 0.2
    bus = not shape.cab
    edge = (shape.height - 0.48, shape.height - 0.18) if bus else (floor + 0.05, floor + 0.3)
    return {
        "doors": (sides, rear + 0.3, 0.72 if bus else floor + 0.25, load_front, 1.3 if bus else rear_top),
        "sill": (sides, rear + 0.3, edge[0], load_front, edge[1]),
        "bonnet": (("top",), front - 1.4, -0.7 * half, front - 0.4, 0.7 * half),
        "roof": (("top",), rear + 0.5, -0.7 * half, load_front, 0.7 * half),
        "windscreen": (("front",), -0.7 * half, 1.42, 0.7 * half, 1.72),
        "rear_window": (("rear",), -0.6 * half, 1.6, 0.6 * half, shape.height - 0.4),
        "tail": (("rear",), -0.7 * half, 0.95, 0.7 * half, 1.5),
        "nose": (("front",), -0.7 * half, 0.62, 0.7 * half, 1.1),
    }  # fmt: skip
