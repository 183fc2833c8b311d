"""Draws the charts of a vehicle: glass, lamps, grille, doors, plates, wheels. Stickers are added by :mod:`decals`."""

from __future__ import annotations

import numpy as np

from vreid_common.synthetic.body import axles, cabin_x
from vreid_common.synthetic.charts import FACINGS, RGB, Chart, Charts, Kind
from vreid_common.synthetic.identity import Vehicle
from vreid_common.synthetic.marks import RIM_STYLES, Marks
from vreid_common.synthetic.shapes import BoxShape, CarShape

__all__ = ["draw_charts"]

_GLASS: RGB = (34, 40, 46)
_BLACK: RGB = (22, 22, 24)
_PLASTIC: RGB = (48, 48, 50)
_CHROME: RGB = (190, 190, 194)
_LAMP: RGB = (225, 228, 232)
_RED: RGB = (150, 14, 18)
_AMBER: RGB = (215, 120, 25)
_SIDES = ("left", "right")


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
        _draw_car(charts, vehicle, shape)
    elif shape.cab:
        _draw_truck(charts, vehicle, shape)
    else:
        _draw_bus(charts, vehicle, shape)
    for side in _SIDES:
        for x in axles(shape):
            charts[side].disc((x, shape.wheel), shape.wheel + 0.06, _BLACK, Kind.MATTE)
    return charts


def _shade(rgb: RGB, factor: float) -> RGB:
    r, g, b = (int(min(255, c * factor)) for c in rgb)
    return r, g, b


def _wheel(marks: Marks) -> Chart:
    chart = Chart((-1.02, -1.02), (1.02, 1.02), 24.0, 1, _BLACK, Kind.MATTE)
    style = marks.rims
    spokes, thickness = ((5, 0.26), (7, 0.14), (10, 0.09), (4, 0.30), (0, 0.0), (6, 0.18))[style % RIM_STYLES]
    chart.disc((0, 0), 0.72, marks.rim_rgb, Kind.METAL)
    if spokes:
        chart.disc((0, 0), 0.62, (30, 30, 32), Kind.MATTE)
        for angle in 2 * np.pi * np.arange(spokes) / spokes:
            chart.line([(0, 0), (0.68 * np.cos(angle), 0.68 * np.sin(angle))], thickness, marks.rim_rgb, Kind.METAL)
    else:  # a pressed steel disc with holes
        for angle in 2 * np.pi * np.arange(8) / 8:
            chart.disc((0.48 * np.cos(angle), 0.48 * np.sin(angle)), 0.08, (30, 30, 32), Kind.MATTE)
    chart.disc((0, 0), 0.16, _shade(marks.rim_rgb, 0.8), Kind.METAL)
    return chart


def _mirrored(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    return points, [(-a, b) for a, b in points]


def _plate(chart: Chart, z: float, marks: Marks) -> None:
    chart.rectangle((-0.27, z - 0.065), (0.27, z + 0.065), marks.plate, Kind.MATTE)
    for place, dark in enumerate(marks.plate_blocks):
        if dark:
            a = -0.23 + 0.066 * place
            chart.rectangle((a, z - 0.04), (a + 0.045, z + 0.04), (30, 30, 36), Kind.MATTE)


def _lower_trim(charts: Charts, vehicle: Vehicle, bottom: float, top: float) -> None:
    """Bumpers and sills below ``top``, in the marks' trim."""
    trim = vehicle.marks.trim
    color = _PLASTIC if trim == "black" else _shade(vehicle.paint, 0.85)
    half = vehicle.shape.length / 2 + 0.1, vehicle.shape.width / 2 + 0.1
    for name in ("front", "rear"):
        charts[name].rectangle((-half[1], bottom), (half[1], top), color, Kind.MATTE if trim == "black" else Kind.PAINT)
        if trim == "chrome":
            charts[name].rectangle((-half[1], top - 0.03), (half[1], top + 0.02), _CHROME, Kind.METAL)
    sill = bottom + 0.45 * (top - bottom)
    for name in _SIDES:
        if trim == "black":
            charts[name].rectangle((-half[0], bottom), (half[0], sill), color, Kind.MATTE)
        charts[name].line([(-half[0], sill), (half[0], sill)], 0.02, _shade(vehicle.paint, 0.6), Kind.PAINT)


def _draw_car(charts: Charts, vehicle: Vehicle, shape: CarShape) -> None:
    marks = vehicle.marks
    cowl, roof_front, roof_rear, back = cabin_x(shape)
    half, front, rear = shape.width / 2, shape.length / 2, -shape.length / 2
    if marks.roof_rgb:  # painted above the belt line; the windows are drawn over it
        charts["top"].rectangle((roof_rear - 0.05, -half), (roof_front + 0.05, half), marks.roof_rgb, Kind.PAINT)
        for name in ("left", "right", "front", "rear"):
            extent = front if name in _SIDES else half
            charts[name].rectangle((-extent, shape.belt + 0.02), (extent, shape.height + 0.1), marks.roof_rgb, Kind.PAINT)
    _lower_trim(charts, vehicle, shape.clearance - 0.05, shape.clearance + 0.26)
    for name in _SIDES:
        _car_side(charts[name], vehicle, shape, (cowl, roof_front, roof_rear, back))
    _car_front(charts["front"], vehicle, shape)
    _car_rear(charts["rear"], vehicle, shape)
    top = charts["top"]
    for y in (-0.72 * half, 0.72 * half):  # edges of the bonnet
        top.line([(cowl, y), (front - 0.3, y * 0.9)], 0.025, _shade(vehicle.paint, 0.55), Kind.PAINT)
    top.line([(cowl + 0.04, -0.8 * half), (cowl + 0.04, 0.8 * half)], 0.09, _BLACK)
    if marks.roof == "sunroof":
        middle = roof_front - 0.55 * min(1.0, roof_front - roof_rear)
        top.rectangle((middle - 0.05, -0.5 * half), (min(middle + 0.55, roof_front - 0.06), 0.5 * half), _GLASS, Kind.GLASS)
    if shape.bed:
        top.rectangle((rear + 0.1, -0.8 * half), (back, 0.8 * half), _PLASTIC, Kind.MATTE)


def _car_side(chart: Chart, vehicle: Vehicle, shape: CarShape, cabin: tuple[float, float, float, float]) -> None:
    cowl, roof_front, roof_rear, back = cabin
    sill, top = shape.belt + 0.045, shape.height - 0.15
    share = (top - shape.belt) / (shape.height - 0.07 - shape.belt)
    front_top = cowl + (roof_front - cowl) * share
    rear_share = (top - shape.deck) / (shape.height - 0.07 - shape.deck)
    rear_top = back + (roof_rear - back) * rear_share
    window = [(cowl - 0.20, sill), (front_top - 0.09, top), (rear_top + 0.12, top - 0.02), (back + 0.26, max(sill, shape.deck + 0.05))]
    panes = shape.side_windows + 1
    lengths = np.array([1.0, 1.0, 0.75, 0.6][:panes])
    edges = np.concatenate([[0.0], np.cumsum(lengths) / lengths.sum()])
    van_like = panes == 2 and shape.height > 1.9  # a panel van: glass in the front doors only
    tint = _shade(_GLASS, 1.25 - 0.95 * vehicle.marks.tint)
    for i in range(panes):
        if van_like and i > 0:
            break
        a, b = (edges[i], edges[i + 1]) if not van_like else (0.0, 0.27)
        pane = [_between(window[0], window[3], a), _between(window[1], window[2], a),
                _between(window[1], window[2], b), _between(window[0], window[3], b)]  # fmt: skip
        chart.polygon(pane, tint if i > 0 else _GLASS, Kind.GLASS)
    for i in range(1, panes):
        if not van_like:
            at = edges[i]
            chart.line([_between(window[0], window[3], at), _between(window[1], window[2], at)], 0.07, _BLACK)
    if vehicle.marks.trim == "chrome":
        chart.line([window[0], window[3]], 0.03, _CHROME, Kind.METAL)
    # Door gaps, handles and a crease.
    gap, low = _shade(vehicle.paint, 0.45), shape.clearance + 0.12
    doors = [window[0][0] + 0.02, *(_between(window[0], window[3], edges[i])[0] for i in range(1, min(panes, 3)))]
    if panes == 2 or van_like:
        doors = [doors[0], doors[0] - 1.15]
    for x in doors:
        chart.line([(x, low), (x, sill - 0.03)], 0.022, gap, Kind.PAINT)
    for x in doors[1:]:
        chart.rectangle((x + 0.06, sill - 0.17), (x + 0.24, sill - 0.13), _shade(vehicle.paint, 0.6), Kind.PAINT)
    middle = shape.clearance + 0.5 * (shape.belt - shape.clearance)
    chart.line([(-shape.length / 2 + 0.3, middle), (shape.length / 2 - 0.4, middle)], 0.02, _shade(vehicle.paint, 0.7), Kind.PAINT)
    if vehicle.marks.trim == "black":
        chart.line([(-shape.length / 2 + 0.9, middle - 0.06), (shape.length / 2 - 0.9, middle - 0.06)], 0.08, _PLASTIC)
    front, rear = shape.length / 2, -shape.length / 2
    chart.polygon([(front, shape.nose - 0.2), (front, shape.nose - 0.05), (front - 0.35, shape.nose)], _LAMP, Kind.LAMP)
    chart.rectangle((rear, shape.deck - 0.27), (rear + 0.16, shape.deck - 0.1), _RED, Kind.LAMP)


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _car_front(chart: Chart, vehicle: Vehicle, shape: CarShape) -> None:
    half, nose, low = shape.width / 2, shape.nose, shape.clearance
    lamps, grille = vehicle.design % 3, vehicle.design // 3
    screen = [(-0.87 * half, shape.belt + 0.03), (0.87 * half, shape.belt + 0.03),
              ((shape.tumble - 0.06) * half, shape.height - 0.13), (-(shape.tumble - 0.06) * half, shape.height - 0.13)]  # fmt: skip
    chart.polygon(screen, _GLASS, Kind.GLASS)
    lamp = (
        [(0.52 * half, nose - 0.20), (0.50 * half, nose - 0.08), (0.93 * half, nose - 0.01), (0.95 * half, nose - 0.16)],
        [(0.58 * half, nose - 0.24), (0.58 * half, nose - 0.04), (0.90 * half, nose - 0.04), (0.90 * half, nose - 0.24)],
        [(0.42 * half, nose - 0.15), (0.44 * half, nose - 0.06), (0.95 * half, nose - 0.03), (0.95 * half, nose - 0.12)],
    )[lamps]
    inner = 0.40 * half
    mouth = [(-inner, nose - 0.28), (inner, nose - 0.28), (inner * 0.95, nose - 0.07), (-inner * 0.95, nose - 0.07)]
    chart.polygon(mouth, _BLACK, Kind.MATTE)
    if grille == 0:
        for z in (0.12, 0.18, 0.24):
            chart.line([(-inner, nose - z), (inner, nose - z)], 0.02, _CHROME, Kind.METAL)
    elif grille == 1:
        for a in np.linspace(-0.9, 0.9, 9) * inner:
            chart.line([(a, nose - 0.26), (a, nose - 0.09)], 0.02, _CHROME, Kind.METAL)
    elif grille == 2:
        chart.line([*mouth, mouth[0]], 0.035, _CHROME, Kind.METAL)
    chart.disc((0.0, nose - 0.15), 0.055, _CHROME, Kind.METAL)
    for points in _mirrored(lamp):
        chart.polygon(points, _LAMP, Kind.LAMP)
    for points in _mirrored([(0.60 * half, low + 0.12), (0.80 * half, low + 0.12), (0.80 * half, low + 0.2), (0.60 * half, low + 0.2)]):
        chart.polygon(points, _BLACK if vehicle.design % 2 else (200, 200, 190), Kind.LAMP)
    chart.rectangle((-0.5 * half, low + 0.02), (0.5 * half, low + 0.10), _BLACK, Kind.MATTE)
    _plate(chart, low + 0.19, vehicle.marks)


def _car_rear(chart: Chart, vehicle: Vehicle, shape: CarShape) -> None:
    half, deck, low = shape.width / 2, shape.deck, shape.clearance
    glass = _shade(_GLASS, 1.2 - 0.8 * vehicle.marks.tint)
    window = [(-0.80 * half, deck + 0.05), (0.80 * half, deck + 0.05),
              ((shape.tumble - 0.09) * half, shape.height - 0.15), (-(shape.tumble - 0.09) * half, shape.height - 0.15)]  # fmt: skip
    chart.polygon(window, glass, Kind.GLASS)
    style = vehicle.design % 3
    lamp = (
        [(0.62 * half, deck - 0.26), (0.58 * half, deck - 0.08), (0.97 * half, deck - 0.07), (0.97 * half, deck - 0.26)],
        [(0.78 * half, deck - 0.40), (0.78 * half, deck - 0.04), (0.96 * half, deck - 0.04), (0.96 * half, deck - 0.40)],
        [(0.45 * half, deck - 0.20), (0.45 * half, deck - 0.10), (0.97 * half, deck - 0.08), (0.97 * half, deck - 0.22)],
    )[style]
    for points in _mirrored(lamp):
        chart.polygon(points, _RED, Kind.LAMP)
    for points in _mirrored([(0.80 * half, deck - 0.19), (0.95 * half, deck - 0.19), (0.95 * half, deck - 0.14), (0.80 * half, deck - 0.14)]):
        chart.polygon(points, _AMBER if style else _LAMP, Kind.LAMP)
    edge = _shade(vehicle.paint, 0.5)
    chart.line([(-0.75 * half, low + 0.30), (0.75 * half, low + 0.30)], 0.03, edge, Kind.PAINT)
    if vehicle.design // 3 % 2:
        chart.line([(-0.30 * half, deck - 0.14), (0.30 * half, deck - 0.14)], 0.05, _CHROME, Kind.METAL)
    _plate(chart, (low + 0.19) if vehicle.design // 3 == 2 else deck - 0.33, vehicle.marks)


def _draw_bus(charts: Charts, vehicle: Vehicle, shape: BoxShape) -> None:
    half, end, top = shape.width / 2, shape.length / 2, shape.height
    _lower_trim(charts, vehicle, shape.clearance - 0.05, shape.clearance + 0.35)
    tint = _shade(_GLASS, 1.25 - 0.8 * vehicle.marks.tint)
    panes = 6 + vehicle.design % 3
    for name in _SIDES:
        chart = charts[name]
        if vehicle.marks.roof_rgb:
            chart.rectangle((-end, top - 0.42), (end, top + 0.1), vehicle.marks.roof_rgb, Kind.PAINT)
        edges = np.linspace(-end + 0.3, end - 0.5, panes + 1)
        for a, b in zip(edges[:-1], edges[1:], strict=True):
            chart.rectangle((a + 0.05, 1.35), (b - 0.05, top - 0.5), tint, Kind.GLASS)
        if name == "right":
            for x in (end - 1.5, -0.2):
                chart.rectangle((x - 0.5, shape.clearance + 0.1), (x + 0.5, top - 0.55), _BLACK, Kind.GLASS)
                chart.line([(x, shape.clearance + 0.1), (x, top - 0.55)], 0.06, _shade(vehicle.paint, 0.7))
        chart.line([(-end, 1.15), (end, 1.15)], 0.05, _shade(vehicle.paint, 0.6), Kind.PAINT)
    front, rear = charts["front"], charts["rear"]
    front.rectangle((-0.88 * half, 1.15), (0.88 * half, top - 0.55), _GLASS, Kind.GLASS)
    front.rectangle((-0.7 * half, top - 0.45), (0.7 * half, top - 0.2), (20, 20, 20), Kind.GLASS)
    front.rectangle((-0.45 * half, top - 0.40), (0.45 * half, top - 0.26), (230, 140, 40), Kind.MATTE)
    for points in _mirrored([(0.55 * half, 0.62), (0.88 * half, 0.62), (0.88 * half, 0.80), (0.55 * half, 0.80)]):
        front.polygon(points, _LAMP, Kind.LAMP)
        rear.polygon(points, _RED, Kind.LAMP)
    rear.rectangle((-0.75 * half, 1.6), (0.75 * half, top - 0.5), tint, Kind.GLASS)
    rear.rectangle((-0.6 * half, 0.9), (0.6 * half, 1.35), _PLASTIC, Kind.MATTE)
    for chart in (front, rear):
        _plate(chart, 0.52, vehicle.marks)
    charts["top"].rectangle((-0.3 * end, -0.5 * half), (0.1 * end, 0.5 * half), _shade(vehicle.paint, 0.75), Kind.MATTE)
    charts["top"].rectangle((0.5 * end, -0.3 * half), (0.6 * end, 0.3 * half), _PLASTIC, Kind.MATTE)


def _draw_truck(charts: Charts, vehicle: Vehicle, shape: BoxShape) -> None:
    half, end = shape.width / 2, shape.length / 2
    cab_rear, marks = end - shape.cab, vehicle.marks
    box = ((225, 225, 222), _shade(vehicle.paint, 1.0), (150, 156, 162), (196, 190, 176))[vehicle.design % 4]
    floor = shape.clearance + 0.45
    for name in _SIDES:
        chart = charts[name]
        chart.rectangle((-end - 0.1, floor), (cab_rear - 0.11, shape.height + 0.15), box, Kind.PAINT)
        for x in np.linspace(-end, cab_rear - 0.12, 5 + vehicle.design % 3):
            chart.line([(x, floor), (x, shape.height)], 0.035, _shade(box, 0.8), Kind.PAINT)
        chart.line([(-end, floor + 0.04), (cab_rear - 0.12, floor + 0.04)], 0.09, _PLASTIC)
        window = [(end - 0.42, 1.42), (end - 0.60, shape.cab_height - 0.28), (end - 1.25, shape.cab_height - 0.28), (end - 1.25, 1.42)]
        chart.polygon(window, _GLASS, Kind.GLASS)
        chart.line([(end - 1.35, 0.7), (end - 1.35, shape.cab_height - 0.2)], 0.03, _shade(vehicle.paint, 0.5), Kind.PAINT)
        if marks.trim == "black":
            chart.rectangle((cab_rear, 0.0), (end + 0.1, shape.clearance + 0.22), _PLASTIC, Kind.MATTE)
    front, rear = charts["front"], charts["rear"]
    front.rectangle((-half, 0.0), (half, shape.clearance + 0.25), _PLASTIC if marks.trim == "black" else _shade(vehicle.paint, 0.8), Kind.MATTE)
    front.rectangle((-0.84 * half, 1.38), (0.84 * half, shape.cab_height - 0.25), _GLASS, Kind.GLASS)
    front.rectangle((-0.5 * half, 0.90), (0.5 * half, 1.18), _BLACK, Kind.MATTE)
    if marks.trim == "chrome":
        front.line([(-0.5 * half, 1.04), (0.5 * half, 1.04)], 0.06, _CHROME, Kind.METAL)
    for points in _mirrored([(0.58 * half, 0.62), (0.86 * half, 0.62), (0.86 * half, 0.82), (0.58 * half, 0.82)]):
        front.polygon(points, _LAMP, Kind.LAMP)
    front.rectangle((-half - 0.1, shape.cab_height - 0.02), (half + 0.1, shape.height + 0.15), box, Kind.PAINT)
    rear.rectangle((-half - 0.1, floor), (half + 0.1, shape.height + 0.15), box, Kind.PAINT)
    rear.line([(0.0, floor), (0.0, shape.height)], 0.04, _shade(box, 0.6), Kind.PAINT)
    for a in (-0.5 * half, 0.5 * half):
        rear.line([(a, floor + 0.1), (a, shape.height - 0.15)], 0.035, _CHROME, Kind.METAL)
    for points in _mirrored([(0.66 * half, floor + 0.02), (0.92 * half, floor + 0.02), (0.92 * half, floor + 0.14), (0.66 * half, floor + 0.14)]):
        rear.polygon(points, _RED, Kind.LAMP)
    charts["top"].rectangle((-end - 0.1, -half - 0.1), (cab_rear - 0.1, half + 0.1), box, Kind.PAINT)
    for chart, z in ((front, 0.52), (rear, floor + 0.09)):
        _plate(chart, z, marks)
