"""Draws the charts of buses and trucks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vreid_common.synthetic.charts import Charts, Kind
from vreid_common.synthetic.identity import Vehicle
from vreid_common.synthetic.paint import (
    BLACK,
    CHROME,
    GLASS,
    LAMP,
    PLASTIC,
    RED,
    SIDES,
    lower_trim,
    mirrored,
    plate,
    shaded,
)  # fmt: skip
from vreid_common.synthetic.shapes import BoxShape

__all__ = ["draw_bus", "draw_truck"]


def draw_bus(charts: Charts, vehicle: Vehicle, shape: BoxShape) -> None:
    """Draws all sides of a bus."""
    half, end, top = shape.width / 2, shape.length / 2, shape.height
    lower_trim(charts, vehicle, shape.clearance - 0.05, shape.clearance + 0.35)
    tint = shaded(GLASS, 1.25 - 0.8 * vehicle.marks.tint)
    panes = 6 + vehicle.design % 3
    for name in SIDES:
        chart = charts[name]
        if vehicle.marks.roof_rgb:
            chart.rectangle((-end, top - 0.42), (end, top + 0.1), vehicle.marks.roof_rgb, Kind.PAINT)
        edges = np.linspace(-end + 0.3, end - 0.5, panes + 1)
        for a, b in pairwise(edges):
            chart.rectangle((a + 0.05, 1.35), (b - 0.05, top - 0.5), tint, Kind.GLASS)
        if name == "right":
            for x in (end - 1.5, -0.2):
                chart.rectangle((x - 0.5, shape.clearance + 0.1), (x + 0.5, top - 0.55), BLACK, Kind.GLASS)
                chart.line([(x, shape.clearance + 0.1), (x, top - 0.55)], 0.06, shaded(vehicle.paint, 0.7))
        chart.line([(-end, 1.15), (end, 1.15)], 0.05, shaded(vehicle.paint, 0.6), Kind.PAINT)
    front, rear = charts["front"], charts["rear"]
    front.rectangle((-0.88 * half, 1.15), (0.88 * half, top - 0.55), GLASS, Kind.GLASS)
    front.rectangle((-0.7 * half, top - 0.45), (0.7 * half, top - 0.2), (20, 20, 20), Kind.GLASS)
    front.rectangle((-0.45 * half, top - 0.40), (0.45 * half, top - 0.26), (230, 140, 40), Kind.MATTE)
    for points in mirrored([(0.55 * half, 0.62), (0.88 * half, 0.62), (0.88 * half, 0.80), (0.55 * half, 0.80)]):
        front.polygon(points, LAMP, Kind.LAMP)
        rear.polygon(points, RED, Kind.LAMP)
    rear.rectangle((-0.75 * half, 1.6), (0.75 * half, top - 0.5), tint, Kind.GLASS)
    rear.rectangle((-0.6 * half, 0.9), (0.6 * half, 1.35), PLASTIC, Kind.MATTE)
    for chart in (front, rear):
        plate(chart, 0.52, vehicle.marks)
    charts["top"].rectangle((-0.3 * end, -0.5 * half), (0.1 * end, 0.5 * half), shaded(vehicle.paint, 0.75), Kind.MATTE)
    charts["top"].rectangle((0.5 * end, -0.3 * half), (0.6 * end, 0.3 * half), PLASTIC, Kind.MATTE)


def draw_truck(charts: Charts, vehicle: Vehicle, shape: BoxShape) -> None:
    """Draws all sides of a truck: cab and load box."""
    half, end = shape.width / 2, shape.length / 2
    cab_rear, marks = end - shape.cab, vehicle.marks
    box = ((225, 225, 222), shaded(vehicle.paint, 1.0), (150, 156, 162), (196, 190, 176))[vehicle.design % 4]
    floor = shape.clearance + 0.45
    for name in SIDES:
        chart = charts[name]
        chart.rectangle((-end - 0.1, floor), (cab_rear - 0.11, shape.height + 0.15), box, Kind.PAINT)
        for x in np.linspace(-end, cab_rear - 0.12, 5 + vehicle.design % 3):
            chart.line([(x, floor), (x, shape.height)], 0.035, shaded(box, 0.8), Kind.PAINT)
        chart.line([(-end, floor + 0.04), (cab_rear - 0.12, floor + 0.04)], 0.09, PLASTIC)
        window = [
            (end - 0.42, 1.42),
            (end - 0.60, shape.cab_height - 0.28),
            (end - 1.25, shape.cab_height - 0.28),
            (end - 1.25, 1.42),
        ]
        chart.polygon(window, GLASS, Kind.GLASS)
        chart.line([(end - 1.35, 0.7), (end - 1.35, shape.cab_height - 0.2)], 0.03, shaded(vehicle.paint, 0.5), Kind.PAINT)
        if marks.trim == "black":
            chart.rectangle((cab_rear, 0.0), (end + 0.1, shape.clearance + 0.22), PLASTIC, Kind.MATTE)
    front, rear = charts["front"], charts["rear"]
    front.rectangle(
        (-half, 0.0),
        (half, shape.clearance + 0.25),
        PLASTIC if marks.trim == "black" else shaded(vehicle.paint, 0.8),
        Kind.MATTE,
    )
    front.rectangle((-0.84 * half, 1.38), (0.84 * half, shape.cab_height - 0.25), GLASS, Kind.GLASS)
    front.rectangle((-0.5 * half, 0.90), (0.5 * half, 1.18), BLACK, Kind.MATTE)
    if marks.trim == "chrome":
        front.line([(-0.5 * half, 1.04), (0.5 * half, 1.04)], 0.06, CHROME, Kind.METAL)
    for points in mirrored([(0.58 * half, 0.62), (0.86 * half, 0.62), (0.86 * half, 0.82), (0.58 * half, 0.82)]):
        front.polygon(points, LAMP, Kind.LAMP)
    front.rectangle((-half - 0.1, shape.cab_height - 0.02), (half + 0.1, shape.height + 0.15), box, Kind.PAINT)
    rear.rectangle((-half - 0.1, floor), (half + 0.1, shape.height + 0.15), box, Kind.PAINT)
    rear.line([(0.0, floor), (0.0, shape.height)], 0.04, shaded(box, 0.6), Kind.PAINT)
    for a in (-0.5 * half, 0.5 * half):
        rear.line([(a, floor + 0.1), (a, shape.height - 0.15)], 0.035, CHROME, Kind.METAL)
    for points in mirrored(
        [(0.66 * half, floor + 0.02), (0.92 * half, floor + 0.02), (0.92 * half, floor + 0.14), (0.66 * half, floor + 0.14)]
    ):
        rear.polygon(points, RED, Kind.LAMP)
    charts["top"].rectangle((-end - 0.1, -half - 0.1), (cab_rear - 0.1, half + 0.1), box, Kind.PAINT)
    for chart, z in ((front, 0.52), (rear, floor + 0.09)):
        plate(chart, z, marks)
