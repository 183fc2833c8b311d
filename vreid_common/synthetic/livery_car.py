"""Draws the charts of cars, vans and pickups."""

from __future__ import annotations

import numpy as np

from vreid_common.synthetic.body import cabin_x
from vreid_common.synthetic.charts import Chart, Charts, Kind
from vreid_common.synthetic.identity import Vehicle
from vreid_common.synthetic.paint import (
    AMBER,
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
from vreid_common.synthetic.shapes import CarShape

__all__ = ["draw_car"]


def draw_car(charts: Charts, vehicle: Vehicle, shape: CarShape) -> None:
    """Draws all sides of a vehicle with a bonnet and a cabin."""
    marks = vehicle.marks
    cowl, roof_front, roof_rear, back = cabin_x(shape)
    half, front, rear = shape.width / 2, shape.length / 2, -shape.length / 2
    if marks.roof_rgb:  # painted above the belt line; the windows are drawn over it
        charts["top"].rectangle((roof_rear - 0.05, -half), (roof_front + 0.05, half), marks.roof_rgb, Kind.PAINT)
        for name in ("left", "right", "front", "rear"):
            extent = front if name in SIDES else half
            charts[name].rectangle((-extent, shape.belt + 0.02), (extent, shape.height + 0.1), marks.roof_rgb, Kind.PAINT)
    lower_trim(charts, vehicle, shape.clearance - 0.05, shape.clearance + 0.26)
    for name in SIDES:
        _car_side(charts[name], vehicle, shape, (cowl, roof_front, roof_rear, back))
    _car_front(charts["front"], vehicle, shape)
    _car_rear(charts["rear"], vehicle, shape)
    top = charts["top"]
    for y in (-0.72 * half, 0.72 * half):  # edges of the bonnet
        top.line([(cowl, y), (front - 0.3, y * 0.9)], 0.025, shaded(vehicle.paint, 0.55), Kind.PAINT)
    top.line([(cowl + 0.04, -0.8 * half), (cowl + 0.04, 0.8 * half)], 0.09, BLACK)
    if marks.roof == "sunroof":
        middle = roof_front - 0.55 * min(1.0, roof_front - roof_rear)
        top.rectangle((middle - 0.05, -0.5 * half), (min(middle + 0.55, roof_front - 0.06), 0.5 * half), GLASS, Kind.GLASS)
    if shape.bed:
        top.rectangle((rear + 0.1, -0.8 * half), (back, 0.8 * half), PLASTIC, Kind.MATTE)


def _car_side(chart: Chart, vehicle: Vehicle, shape: CarShape, cabin: tuple[float, float, float, float]) -> None:
    cowl, roof_front, roof_rear, back = cabin
    sill, top = shape.belt + 0.045, shape.height - 0.15
    share = (top - shape.belt) / (shape.height - 0.07 - shape.belt)
    front_top = cowl + (roof_front - cowl) * share
    rear_share = (top - shape.deck) / (shape.height - 0.07 - shape.deck)
    rear_top = back + (roof_rear - back) * rear_share
    window = [
        (cowl - 0.20, sill),
        (front_top - 0.09, top),
        (rear_top + 0.12, top - 0.02),
        (back + 0.26, max(sill, shape.deck + 0.05)),
    ]
    panes = shape.side_windows + 1
    lengths = np.array([1.0, 1.0, 0.75, 0.6][:panes])
    edges = np.concatenate([[0.0], np.cumsum(lengths) / lengths.sum()])
    van_like = panes == 2 and shape.height > 1.9  # a panel van: glass in the front doors only
    tint = shaded(GLASS, 1.25 - 0.95 * vehicle.marks.tint)
    for i in range(panes):
        if van_like and i > 0:
            break
        a, b = (edges[i], edges[i + 1]) if not van_like else (0.0, 0.27)
        pane = [_between(window[0], window[3], a), _between(window[1], window[2], a),
                _between(window[1], window[2], b), _between(window[0], window[3], b)]  # fmt: skip
        chart.polygon(pane, tint if i > 0 else GLASS, Kind.GLASS)
    for i in range(1, panes):
        if not van_like:
            at = edges[i]
            chart.line([_between(window[0], window[3], at), _between(window[1], window[2], at)], 0.07, BLACK)
    if vehicle.marks.trim == "chrome":
        chart.line([window[0], window[3]], 0.03, CHROME, Kind.METAL)
    # Door gaps, handles and a crease.
    gap, low = shaded(vehicle.paint, 0.45), shape.clearance + 0.12
    doors = [window[0][0] + 0.02, *(_between(window[0], window[3], edges[i])[0] for i in range(1, min(panes, 3)))]
    if panes == 2 or van_like:
        doors = [doors[0], doors[0] - 1.15]
    for x in doors:
        chart.line([(x, low), (x, sill - 0.03)], 0.022, gap, Kind.PAINT)
    for x in doors[1:]:
        chart.rectangle((x + 0.06, sill - 0.17), (x + 0.24, sill - 0.13), shaded(vehicle.paint, 0.6), Kind.PAINT)
    middle = shape.clearance + 0.5 * (shape.belt - shape.clearance)
    chart.line(
        [(-shape.length / 2 + 0.3, middle), (shape.length / 2 - 0.4, middle)], 0.02, shaded(vehicle.paint, 0.7), Kind.PAINT
    )
    if vehicle.marks.trim == "black":
        chart.line([(-shape.length / 2 + 0.9, middle - 0.06), (shape.length / 2 - 0.9, middle - 0.06)], 0.08, PLASTIC)
    front, rear = shape.length / 2, -shape.length / 2
    chart.polygon([(front, shape.nose - 0.2), (front, shape.nose - 0.05), (front - 0.35, shape.nose)], LAMP, Kind.LAMP)
    chart.rectangle((rear, shape.deck - 0.27), (rear + 0.16, shape.deck - 0.1), RED, Kind.LAMP)


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _car_front(chart: Chart, vehicle: Vehicle, shape: CarShape) -> None:
    half, nose, low = shape.width / 2, shape.nose, shape.clearance
    lamps, grille = vehicle.design % 3, vehicle.design // 3
    upper = (shape.tumble - 0.06) * half
    screen = [
        (-0.87 * half, shape.belt + 0.03),
        (0.87 * half, shape.belt + 0.03),
        (upper, shape.height - 0.13),
        (-upper, shape.height - 0.13),
    ]
    chart.polygon(screen, GLASS, Kind.GLASS)
    lamp = (
        [(0.52 * half, nose - 0.20), (0.50 * half, nose - 0.08), (0.93 * half, nose - 0.01), (0.95 * half, nose - 0.16)],
        [(0.58 * half, nose - 0.24), (0.58 * half, nose - 0.04), (0.90 * half, nose - 0.04), (0.90 * half, nose - 0.24)],
        [(0.42 * half, nose - 0.15), (0.44 * half, nose - 0.06), (0.95 * half, nose - 0.03), (0.95 * half, nose - 0.12)],
    )[lamps]
    inner = 0.40 * half
    mouth = [(-inner, nose - 0.28), (inner, nose - 0.28), (inner * 0.95, nose - 0.07), (-inner * 0.95, nose - 0.07)]
    chart.polygon(mouth, BLACK, Kind.MATTE)
    if grille == 0:
        for z in (0.12, 0.18, 0.24):
            chart.line([(-inner, nose - z), (inner, nose - z)], 0.02, CHROME, Kind.METAL)
    elif grille == 1:
        for a in np.linspace(-0.9, 0.9, 9) * inner:
            chart.line([(a, nose - 0.26), (a, nose - 0.09)], 0.02, CHROME, Kind.METAL)
    elif grille == 2:
        chart.line([*mouth, mouth[0]], 0.035, CHROME, Kind.METAL)
    chart.disc((0.0, nose - 0.15), 0.055, CHROME, Kind.METAL)
    for points in mirrored(lamp):
        chart.polygon(points, LAMP, Kind.LAMP)
    for points in mirrored(
        [(0.60 * half, low + 0.12), (0.80 * half, low + 0.12), (0.80 * half, low + 0.2), (0.60 * half, low + 0.2)]
    ):
        chart.polygon(points, BLACK if vehicle.design % 2 else (200, 200, 190), Kind.LAMP)
    chart.rectangle((-0.5 * half, low + 0.02), (0.5 * half, low + 0.10), BLACK, Kind.MATTE)
    plate(chart, low + 0.19, vehicle.marks)


def _car_rear(chart: Chart, vehicle: Vehicle, shape: CarShape) -> None:
    half, deck, low = shape.width / 2, shape.deck, shape.clearance
    glass = shaded(GLASS, 1.2 - 0.8 * vehicle.marks.tint)
    upper = (shape.tumble - 0.09) * half
    window = [
        (-0.80 * half, deck + 0.05),
        (0.80 * half, deck + 0.05),
        (upper, shape.height - 0.15),
        (-upper, shape.height - 0.15),
    ]
    chart.polygon(window, glass, Kind.GLASS)
    style = vehicle.design % 3
    lamp = (
        [(0.62 * half, deck - 0.26), (0.58 * half, deck - 0.08), (0.97 * half, deck - 0.07), (0.97 * half, deck - 0.26)],
        [(0.78 * half, deck - 0.40), (0.78 * half, deck - 0.04), (0.96 * half, deck - 0.04), (0.96 * half, deck - 0.40)],
        [(0.45 * half, deck - 0.20), (0.45 * half, deck - 0.10), (0.97 * half, deck - 0.08), (0.97 * half, deck - 0.22)],
    )[style]
    for points in mirrored(lamp):
        chart.polygon(points, RED, Kind.LAMP)
    for points in mirrored(
        [(0.80 * half, deck - 0.19), (0.95 * half, deck - 0.19), (0.95 * half, deck - 0.14), (0.80 * half, deck - 0.14)]
    ):
        chart.polygon(points, AMBER if style else LAMP, Kind.LAMP)
    edge = shaded(vehicle.paint, 0.5)
    chart.line([(-0.75 * half, low + 0.30), (0.75 * half, low + 0.30)], 0.03, edge, Kind.PAINT)
    if vehicle.design // 3 % 2:
        chart.line([(-0.30 * half, deck - 0.14), (0.30 * half, deck - 0.14)], 0.05, CHROME, Kind.METAL)
    plate(chart, (low + 0.19) if vehicle.design // 3 == 2 else deck - 0.33, vehicle.marks)
