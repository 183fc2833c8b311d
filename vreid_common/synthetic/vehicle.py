"""Builds the mesh of one vehicle from its description."""

from __future__ import annotations

import numpy as np

from vreid_common.synthetic.body import add_body, add_wheels, cabin_x
from vreid_common.synthetic.charts import Kind
from vreid_common.synthetic.decals import draw_decals
from vreid_common.synthetic.identity import Vehicle
from vreid_common.synthetic.livery import draw_charts
from vreid_common.synthetic.mesh import Mesh, MeshBuilder
from vreid_common.synthetic.shading import Wear
from vreid_common.synthetic.shapes import CarShape

__all__ = ["build_vehicle"]

_BLACK = (26, 26, 28)


def build_vehicle(vehicle: Vehicle) -> tuple[Mesh, Wear]:
    """The textured mesh of a vehicle, standing on the ground with its nose along +x, and its dirt and dents."""
    charts = draw_charts(vehicle)
    draw_decals(charts, vehicle.shape, vehicle.marks.decals)
    builder = MeshBuilder(charts)
    add_body(builder, vehicle.shape)
    add_wheels(builder, vehicle.shape)
    if isinstance(vehicle.shape, CarShape):
        _add_car_fittings(builder, vehicle, vehicle.shape)
    else:
        _add_large_fittings(builder, vehicle)
    marks = vehicle.marks
    return builder.build(), Wear(marks.dirt, marks.dirt_seed, _dents(vehicle))


def _add_car_fittings(builder: MeshBuilder, vehicle: Vehicle, shape: CarShape) -> None:
    marks, half = vehicle.marks, shape.width / 2
    black = builder.charts.swatch(_BLACK)
    paint = builder.charts.swatch(vehicle.paint, Kind.PAINT)
    cowl, roof_front, roof_rear, _ = cabin_x(shape)
    for side in (1.0, -1.0):
        builder.box(
            (cowl - 0.32, side * (half + 0.07), shape.belt + 0.06),
            (0.10, 0.20, 0.14),
            black if marks.trim == "black" else paint,
        )
    rail = 0.86 * shape.tumble * half
    if marks.roof == "rack":
        metal = builder.charts.swatch((150, 150, 154), Kind.METAL)
        for y in (rail, -rail):
            builder.box(((roof_front + roof_rear) / 2, y, shape.height + 0.03), (roof_front - roof_rear, 0.05, 0.06), metal)
        for t in (0.2, 0.8):
            builder.box((roof_rear + t * (roof_front - roof_rear), 0.0, shape.height + 0.06), (0.08, 2 * rail, 0.04), black)
    elif marks.roof == "box":
        length = min(1.5, roof_front - roof_rear)
        builder.box(((roof_front + roof_rear) / 2, 0.15, shape.height + 0.16), (length, 0.7, 0.26), black)
    if marks.spoiler and not shape.bed:
        high = shape.back < 0.3
        x, z = (roof_rear - 0.08, shape.height - 0.03) if high else (-shape.length / 2 + 0.15, shape.deck + 0.16)
        builder.box((x, 0.0, z), (0.24, 1.5 * half if high else 1.7 * half, 0.04), paint)
        if not high:
            for y in (0.5 * half, -0.5 * half):
                builder.box((x, y, shape.deck + 0.07), (0.1, 0.05, 0.16), paint)
    if marks.spare_wheel and shape.height > 1.6 and shape.back < 0.3 and shape.height < 1.9:
        center = (-shape.length / 2 - 0.08, 0.18, shape.deck - 0.12)
        builder.cylinder(center, (-1.0, 0.0, 0.0), shape.wheel * 0.92, 0.22, "wheel", black)


def _add_large_fittings(builder: MeshBuilder, vehicle: Vehicle) -> None:
    shape, marks = vehicle.shape, vehicle.marks
    black = builder.charts.swatch(_BLACK)
    front, half = shape.length / 2, shape.width / 2
    mirror_z = (shape.cab_height or shape.height) - 0.75
    for side in (1.0, -1.0):
        builder.box((front - 0.05, side * (half + 0.13), mirror_z), (0.12, 0.24, 0.45), black)
    roof = shape.cab_height or shape.height
    if marks.roof == "rack":
        lamps = builder.charts.swatch((235, 150, 30), Kind.LAMP)
        builder.box((front - 0.5, 0.0, roof + 0.08), (0.2, 0.8 * half, 0.14), lamps)
    elif marks.roof == "box":
        deflector = builder.charts.swatch(vehicle.paint, Kind.PAINT)
        builder.box((front - 0.75, 0.0, roof + 0.22), (0.8, 1.7 * half, 0.44), deflector)


def _dents(vehicle: Vehicle) -> np.ndarray:
    shape = vehicle.shape
    half, end = shape.width / 2, shape.length / 2
    low = shape.clearance + 0.05
    high = shape.belt if isinstance(shape, CarShape) else 1.6
    rows = []
    for side, along, up, radius, depth in vehicle.marks.dents:
        z = low + up * (high - low)
        x, y = {
            0: (end * (2 * along - 1), half),
            1: (end * (2 * along - 1), -half),
            2: (end, half * (2 * along - 1)),
            3: (-end, half * (2 * along - 1)),
        }[side]
        rows.append((x, y, z, radius, depth))
    return np.array(rows, dtype=np.float64).reshape(-1, 5)
