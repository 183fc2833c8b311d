"""Geometry of vehicle bodies: lofts through cross-sections, cabins with bulged glass, wheels and fittings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vreid_common.synthetic.charts import Swatch
from vreid_common.synthetic.mesh import MeshBuilder
from vreid_common.synthetic.shapes import BoxShape, CarShape, Shape

__all__ = ["add_body", "add_wheels", "axles", "cabin_x"]

_TYRE = (22, 22, 24)
_DARK = (18, 18, 20)


def cabin_x(shape: CarShape) -> tuple[float, float, float, float]:
    """x of the foot of the windscreen, the front and rear ends of the roof, and the foot of the rear window."""
    front, rear = shape.length / 2, -shape.length / 2
    return front - shape.cowl, front - shape.cowl - shape.screen, rear + shape.tail, rear + shape.back


def add_body(builder: MeshBuilder, shape: Shape) -> None:
    """Adds the body's shell, textured from the charts of its sides."""
    if isinstance(shape, CarShape):
        _add_car(builder, shape)
    elif shape.cab:
        _add_truck(builder, shape)
    else:
        _loft(builder, _box_stations(shape.length / 2, -shape.length / 2, shape.width, shape.height), shape.clearance, 0.22)


def add_wheels(builder: MeshBuilder, shape: Shape) -> None:
    """Adds four wheels whose visible side is the chart ``wheel``."""
    tyre = builder.charts.swatch(_TYRE)
    width = 0.24 if isinstance(shape, CarShape) else 0.34
    for x in axles(shape):
        for side in (1.0, -1.0):
            center = (x, side * (shape.width / 2 + 0.012 - width / 2), shape.wheel)
            builder.cylinder(center, (0.0, side, 0.0), shape.wheel, width, "wheel", tyre)


def axles(shape: Shape) -> tuple[float, float]:
    """x of the front and the rear axle."""
    return shape.length / 2 - shape.front_overhang, -shape.length / 2 + shape.rear_overhang


def _add_bed(builder: MeshBuilder, low: np.ndarray, high: np.ndarray, texture: Swatch) -> None:
    """Adds the floor and the inner walls of an open load bed between two corners."""
    center = (np.asarray(low) + high) / 2
    (x0, y0, z0), (x1, y1, z1) = low, high
    builder.polygon([(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)], texture, (0, 0, 1))
    for wall in (
        [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)],
        [(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)],
        [(x0, y0, z0), (x0, y1, z0), (x0, y1, z1), (x0, y0, z1)],
        [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)],
    ):
        builder.polygon(wall, texture, center - np.mean(wall, axis=0))


def _section(x: float, half: float, top: float, bottom: float, shoulder: float) -> np.ndarray:
    """Right half of a cross-section from the middle of the top round to the sill, (5, 3)."""
    belly = bottom + 0.52 * (top - bottom)
    profile = [(0.0, top + 0.03), (0.80 * half, top), (0.97 * half, top - shoulder), (half, belly), (0.955 * half, bottom)]
    return np.array([(x, y, z) for y, z in profile])


def _loft(
    builder: MeshBuilder,
    stations: list[tuple[float, float, float]],
    bottom: float,
    shoulder: float,
    open_top: tuple[float, float] | None = None,
) -> None:
    """Skins the ``(x, half width, top)`` stations, front to rear, and closes both ends and the floor.

    Between the two x of ``open_top`` the flat of the top is left out.
    """
    under = builder.charts.swatch(_DARK)
    sections = [_section(x, half, top, bottom, min(shoulder, 0.4 * (top - bottom))) for x, half, top in stations]
    mirror = np.array([1.0, -1.0, 1.0])
    for a, b in pairwise(sections):
        middle = np.array([(a[0, 0] + b[0, 0]) / 2, 0.0, (a[0, 2] + bottom) / 2])
        for i in range(len(a) - 1):
            if i == 0 and open_top and open_top[0] - 1e-6 <= b[0, 0] and a[0, 0] <= open_top[1] + 1e-6:
                continue
            quad = np.stack([a[i], b[i], b[i + 1], a[i + 1]])
            for side in (quad, quad * mirror):
                builder.polygon(side, None, side.mean(axis=0) - middle, smooth=True)
        floor = np.stack([a[-1], b[-1], b[-1] * mirror, a[-1] * mirror])
        builder.polygon(floor, under, (0.0, 0.0, -1.0))
    for end, name, outward in ((sections[0], "front", (1.0, 0, 0)), (sections[-1], "rear", (-1.0, 0, 0))):
        builder.polygon(np.concatenate([end, (end * mirror)[:0:-1]]), name, outward, smooth=True)


def _box_stations(front: float, rear: float, width: float, top: float) -> list[tuple[float, float, float]]:
    half = width / 2
    return [
        (front, 0.90 * half, top - 0.22),
        (front - 0.10, 0.97 * half, top - 0.05),
        (front - 0.35, half, top),
        ((front + rear) / 2, half, top),
        (rear + 0.15, half, top),
        (rear, 0.96 * half, top - 0.05),
    ]


def _add_car(builder: MeshBuilder, shape: CarShape) -> None:
    front, rear, half = shape.length / 2, -shape.length / 2, shape.width / 2
    cowl, _, _, back = cabin_x(shape)
    outline_x = [rear, rear + 0.12, back, cowl, front - 0.45, front - 0.10, front]
    outline_z = [shape.deck - 0.10, shape.deck - 0.02, shape.deck, shape.belt, shape.nose + 0.05, shape.nose, shape.nose - 0.14]
    taper_x = [rear, rear + 0.12, rear + 0.6, front - 0.55, front - 0.12, front]
    taper = [0.88, 0.96, 1.0, 1.0, 0.94, 0.82]
    xs = sorted({*outline_x, *taper_x, 0.0}, reverse=True)
    stations = [(x, half * float(np.interp(x, taper_x, taper)), float(np.interp(x, outline_x, outline_z))) for x in xs]
    _loft(builder, stations, shape.clearance, 0.11, (rear + 0.12, back) if shape.bed else None)
    _add_cabin(builder, shape)
    if shape.bed:
        low = np.array([rear + 0.12, -0.80 * half, shape.clearance + 0.35])
        high = np.array([back, 0.80 * half, shape.deck])
        _add_bed(builder, low, high, builder.charts.swatch((38, 38, 40)))


def _add_cabin(builder: MeshBuilder, shape: CarShape) -> None:
    """Windscreen, roof, rear window and sides; glass and roof bulge outwards."""
    cowl, roof_front, roof_rear, back = cabin_x(shape)
    half, f = shape.width / 2, np.array([-1.0, -0.55, 0.0, 0.55, 1.0])
    bulge = 1 - f**2

    def row(x: float, width: float, z: float, bow: float, crown: float) -> np.ndarray:
        return np.stack([x + bow * bulge, width * half * f, z + crown * bulge], axis=1)

    edge = shape.height - 0.07
    middle = (roof_front + roof_rear) / 2
    rows = [
        row(cowl, 0.93, shape.belt - 0.03, 0.08, 0.02),
        row(roof_front, shape.tumble, edge - 0.02, 0.06, 0.045),
        row(middle, shape.tumble, edge, 0.0, 0.07),
        row(roof_rear, shape.tumble, edge - 0.03, -0.03, 0.05),
        row(back, 0.91, shape.deck - 0.03, -0.02, 0.02),
    ]
    center = np.array([middle, 0.0, shape.belt])
    for a, b in pairwise(rows):
        for i in range(len(f) - 1):
            quad = np.stack([a[i], b[i], b[i + 1], a[i + 1]])
            builder.polygon(quad, None, quad.mean(axis=0) - center, smooth=True)
    for end in (0, -1):
        foot = [(middle, r, z) for r, z in ((rows[0][end, 1], (shape.belt + shape.deck) / 2 - 0.03),)]
        for polygon in (
            np.stack([rows[0][end], rows[1][end], rows[2][end], foot[0]]),
            np.stack([rows[2][end], rows[3][end], rows[4][end], foot[0]]),
        ):
            builder.polygon(polygon, "right" if end == 0 else "left", (0.0, -1.0 if end == 0 else 1.0, 0.3), smooth=True)


def _add_truck(builder: MeshBuilder, shape: BoxShape) -> None:
    front, rear = shape.length / 2, -shape.length / 2
    cab_rear = front - shape.cab
    _loft(builder, _box_stations(front, cab_rear, 0.96 * shape.width, shape.cab_height), shape.clearance, 0.20)
    floor = shape.clearance + 0.45
    load = (cab_rear - 0.12 + rear) / 2
    charts = builder.charts
    builder.box((load, 0.0, (floor + shape.height) / 2), (cab_rear - 0.12 - rear, shape.width, shape.height - floor))
    builder.box((0.0, 0.0, floor - 0.16), (shape.length - 0.6, 0.9, 0.3), charts.swatch(_DARK))
    builder.box((rear + 0.08, 0.0, 0.52), (0.1, 0.9 * shape.width, 0.12), charts.swatch(_TYRE))
