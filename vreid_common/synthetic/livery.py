"""Draws the charts of a vehicle: glass, lamps, grille, doors, plates, wheels. Stickers are added by :mod:`decals`."""

from __future__ import annotations

import numpy as np

from vreid_common.synthetic.body import axles
from vreid_common.synthetic.charts import FACINGS, Chart, Charts, Kind
from vreid_common.synthetic.identity import Vehicle
from vreid_common.synthetic.livery_car import draw_car
from vreid_common.synthetic.livery_large import draw_bus, draw_truck
from vreid_common.synthetic.marks import Marks
from vreid_common.synthetic.paint import BLACK, SIDES, shaded
from vreid_common.synthetic.shapes import CarShape

__all__ = ["draw_charts"]

_SPOKES = ((5, 0.26), (7, 0.14), (10, 0.09), (4, 0.30), (0, 0.0), (6, 0.18))
"""Number and width of the spokes of each rim style (the wheel's radius is 1)."""


def draw_charts(vehicle: Vehicle) -> Charts:
    """Charts ``left``, ``right``, ``front``, ``rear``, ``top`` and ``wheel`` of one vehicle, without its decals."""
    shape, charts = vehicle.shape, Charts()
    extent = np.array([shape.length / 2 + 0.1, shape.width / 2 + 0.1, shape.height + 0.15])
    resolution = 300.0 / shape.length  # a bus is seen from farther away than a car, so its texels may be larger
    for name, (across, up, sign) in FACINGS.items():
        low = (-extent[across], 0.0 if up == 2 else -extent[up])
        charts[name] = Chart(low, (extent[across], extent[up]), resolution, sign, vehicle.paint, Kind.PAINT)
    charts["wheel"] = _wheel(vehicle.marks)
    if isinstance(shape, CarShape):
        draw_car(charts, vehicle, shape)
    elif shape.cab:
        draw_truck(charts, vehicle, shape)
    else:
        draw_bus(charts, vehicle, shape)
    for side in SIDES:
        for x in axles(shape):
            charts[side].disc((x, shape.wheel), shape.wheel + 0.06, BLACK, Kind.MATTE)
    return charts


def _wheel(marks: Marks) -> Chart:
    chart = Chart((-1.02, -1.02), (1.02, 1.02), 24.0, 1, BLACK, Kind.MATTE)
    spokes, thickness = _SPOKES[marks.rims]
    chart.disc((0, 0), 0.72, marks.rim_rgb, Kind.METAL)
    if spokes:
        chart.disc((0, 0), 0.62, (30, 30, 32), Kind.MATTE)
        for angle in 2 * np.pi * np.arange(spokes) / spokes:
            chart.line([(0, 0), (0.68 * np.cos(angle), 0.68 * np.sin(angle))], thickness, marks.rim_rgb, Kind.METAL)
    else:  # a pressed steel disc with holes
        for angle in 2 * np.pi * np.arange(8) / 8:
            chart.disc((0.48 * np.cos(angle), 0.48 * np.sin(angle)), 0.08, (30, 30, 32), Kind.MATTE)
    chart.disc((0, 0), 0.16, shaded(marks.rim_rgb, 0.8), Kind.METAL)
    return chart
