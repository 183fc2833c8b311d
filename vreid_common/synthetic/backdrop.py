"""What a street camera sees besides the vehicle: the road seen from above, the far surroundings, parked vehicles and posts.

World frame of the camera (see :class:`~vreid_common.synthetic.street.Site`): metres, the traffic's path along +x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from vreid_common.synthetic.camera import Pose
from vreid_common.synthetic.charts import Charts, Kind
from vreid_common.synthetic.identity import make_vehicle
from vreid_common.synthetic.mesh import Mesh, MeshBuilder
from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.shading import Wear
from vreid_common.synthetic.street import make_site
from vreid_common.synthetic.vehicle import build_vehicle

__all__ = ["TEXELS_PER_METER", "Backdrop", "Thing", "make_backdrop", "passer_by"]

_BACKDROP = 606  # first number of this module's random streams
_ROAD, _FAR, _THINGS, _PASSER = 0, 1, 2, 3
_EXTRAS = 9
"""Population (in place of a split) of the vehicles that are only background."""
_EXTRA_VEHICLES = 40
_PASSER_SHARE = 0.35
_LANE = 3.4

TEXELS_PER_METER = 12.0
_ROAD_LENGTH, _ROAD_WIDTH = 32.0, 64.0
"""Metres covered by the road texture; along the road it repeats."""


@dataclass(frozen=True)
class Thing:
    """A mesh that stands somewhere in the scene."""

    mesh: Mesh
    wear: Wear
    pose: Pose


@dataclass(frozen=True)
class Backdrop:
    """Surroundings of one camera.

    Attributes:
        road: (Y, X, 3) uint8 sRGB seen from above, row 0 at the largest y, the path in the middle row.
        path_y: y of the path in metres.
        far: (180, 1440, 3) uint8 sRGB, four columns a degree of azimuth; row 179 is the horizon, four rows a degree above it.
        things: parked vehicles and street furniture.
    """

    road: np.ndarray
    path_y: float
    far: np.ndarray
    things: tuple[Thing, ...]

    def texel_to_world(self) -> np.ndarray:
        """(3, 3) matrix from road pixels (column, row, 1) to ground metres (x, y, 1)."""
        step = 1.0 / TEXELS_PER_METER
        return np.array([[step, 0, 0], [0, -step, self.path_y + _ROAD_WIDTH / 2], [0, 0, 1.0]])


@lru_cache(maxsize=32)
def make_backdrop(seed: int, camera: int) -> Backdrop:
    """The surroundings of street camera number ``camera``."""
    site = make_site(seed, camera)
    rng = generator(seed, _BACKDROP, _ROAD, camera)
    lanes = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))  # lanes on the path's right and left beside its own
    road = _draw_road(rng, lanes)
    far = _draw_far(generator(seed, _BACKDROP, _FAR, camera))
    things = _place_things(generator(seed, _BACKDROP, _THINGS, camera), seed, site.path_x, site.path_y, lanes)
    return Backdrop(road, site.path_y, far, things)


def passer_by(seed: int, track_id: int, pose: Pose, frame: int) -> Thing | None:
    """Now and then another vehicle drives in a neighbouring lane: where it is at ``frame`` of a tracklet, or None."""
    drawn = _draw_passer(seed, track_id)
    if drawn is None:
        return None
    index, across, start, gain = drawn
    mesh, wear = _extra(seed, index)
    along = start + gain * frame
    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    return Thing(mesh, wear, Pose(pose.x + c * along - s * across, pose.y + s * along + c * across, pose.yaw))


@lru_cache(maxsize=16)
def _draw_passer(seed: int, track_id: int) -> tuple[int, float, float, float] | None:
    """Which vehicle, metres to the left, metres ahead at frame 0, metres gained a frame."""
    rng = generator(seed, _BACKDROP, _PASSER, track_id)
    if rng.random() > _PASSER_SHARE:
        return None
    left, ahead = rng.choice([-1.0, 1.0], size=2)
    return int(rng.integers(_EXTRA_VEHICLES)), left * _LANE, ahead * rng.uniform(4.5, 9.0), rng.uniform(-0.3, 0.3)


@lru_cache(maxsize=_EXTRA_VEHICLES)
def _extra(seed: int, index: int) -> tuple[Mesh, Wear]:
    return build_vehicle(make_vehicle(seed, 0, _EXTRAS, index))


def _fractal(rng: np.random.Generator, shape: tuple[int, int], coarsest: int) -> np.ndarray:
    """Smooth random texture in about -1..1, (rows, columns) float32, repeating along the columns."""
    total = np.zeros(shape, dtype=np.float32)
    cells, weight = coarsest, 1.0
    while cells <= min(shape):
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        grid = np.concatenate([grid, grid[:, :1]], axis=1)
        total += weight * cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        cells, weight = cells * 3, weight * 0.6
    return total / 2.0


def _draw_road(rng: np.random.Generator, lanes: tuple[int, int]) -> np.ndarray:
    rows, columns = int(_ROAD_WIDTH * TEXELS_PER_METER), int(_ROAD_LENGTH * TEXELS_PER_METER)
    y = _ROAD_WIDTH / 2 - (np.arange(rows, dtype=np.float32) + 0.5) / TEXELS_PER_METER
    right, left = -(lanes[0] + 0.5) * _LANE, (lanes[1] + 0.5) * _LANE
    asphalt, paving = rng.uniform(62, 125), rng.uniform(120, 175)
    verge = np.array([(78, 98, 56), (110, 98, 80), (130, 128, 124), (92, 88, 70)][int(rng.integers(4))], dtype=np.float32)
    image = np.empty((rows, columns, 3), dtype=np.float32)
    image[...] = verge
    image[(y > right - 2.6) & (y < left + 2.6)] = paving
    image[(y > right - 0.2) & (y < left + 0.2)] = paving * 0.75
    on_road = (y > right) & (y < left)
    image[on_road] = (asphalt, asphalt, asphalt + 4)
    image += (16 * _fractal(rng, (rows, columns), 5))[..., None] + rng.normal(0, 5, size=(rows, columns, 1)).astype(np.float32)
    canvas = np.clip(image, 0, 255).astype(np.uint8)

    def row_of(meters: float) -> int:
        return int((_ROAD_WIDTH / 2 - meters) * TEXELS_PER_METER)

    white = (int(rng.uniform(185, 235)),) * 3
    for lane in range(-lanes[0], lanes[1]):  # dashed lines between lanes
        row = row_of((lane + 0.5) * _LANE)
        for start in range(0, columns, columns // 4):
            cv2.rectangle(canvas, (start, row - 1), (start + columns // 9, row), white, -1)
    for edge in (right + 0.25, left - 0.25):
        cv2.rectangle(canvas, (0, row_of(edge) - 1), (columns, row_of(edge)), white, -1)
    for _ in range(int(rng.integers(2, 7))):  # repairs and oil
        x, at = int(rng.integers(columns)), row_of(rng.uniform(right, left))
        w, h = (int(v) for v in rng.integers(6, 50, size=2))
        level = asphalt * rng.uniform(0.6, 1.25)
        cv2.ellipse(canvas, (x, at), (w, h // 2 + 2), 0, 0, 360, (level, level, level), -1, cv2.LINE_AA)
    if rng.random() < 0.35:  # a zebra crossing
        x = int(rng.integers(columns - 40))
        for row in range(row_of(left), row_of(right), int(TEXELS_PER_METER)):
            cv2.rectangle(canvas, (x, row), (x + 36, row + int(TEXELS_PER_METER) // 2), white, -1)
    return canvas


def _draw_far(rng: np.random.Generator) -> np.ndarray:
    rows, columns = 180, 1440
    shade = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    sky = np.array([120, 160, 215], np.float32) * (1 - shade) + np.array([205, 215, 225], np.float32) * shade
    canvas = np.ascontiguousarray(np.broadcast_to(np.clip(sky, 0, 255), (rows, columns, 3)).astype(np.uint8))
    for _ in range(46):  # buildings with windows
        x, w, h = int(rng.integers(-40, columns)), int(rng.integers(30, 120)), int(rng.integers(30, 160))
        wall = rng.uniform(60, 190) * rng.uniform(0.85, 1.1, size=3)
        color = tuple(float(min(c, 255)) for c in wall)
        cv2.rectangle(canvas, (x, rows - h), (x + w, rows), color, -1)
        dx, dy = int(rng.integers(7, 14)), int(rng.integers(8, 16))
        pane = tuple(c * rng.uniform(0.4, 0.7) for c in color)
        for left in range(x + 3, x + w - 4, dx):
            for top in range(rows - h + 4, rows - 10, dy):
                cv2.rectangle(canvas, (left, top), (left + dx // 2, top + dy // 2), pane, -1)
    for _ in range(60):  # trees
        center = (int(rng.integers(columns)), rows - int(rng.integers(5, 60)))
        green = rng.uniform(35, 90)
        axes = (int(rng.integers(10, 38)), int(rng.integers(10, 40)))
        cv2.ellipse(canvas, center, axes, 0, 0, 360, (green * 0.8, green, green * 0.5), -1, cv2.LINE_AA)
    noise = (10 * _fractal(rng, (rows, columns), 12))[..., None]
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def _place_things(
    rng: np.random.Generator, seed: int, path_x: float, path_y: float, lanes: tuple[int, int]
) -> tuple[Thing, ...]:
    things: list[Thing] = []
    for side, count in ((-1.0, lanes[0]), (1.0, lanes[1])):
        kerb = (count + 0.5) * _LANE
        toward_camera = side * path_y < 0
        if not (toward_camera and abs(path_y) < kerb + 5):  # nothing parks in front of the lens
            for _ in range(int(rng.integers(1, 4))):
                mesh, wear = _extra(seed, int(rng.integers(_EXTRA_VEHICLES)))
                place = Pose(path_x + rng.uniform(-14, 14), path_y + side * (kerb + 1.2), float(rng.normal(0, 0.05)))
                things.append(Thing(mesh, wear, place))
        things.append(Thing(_furniture(rng), Wear(), Pose(path_x, path_y + side * (kerb + 2.3), 0.0)))
    return tuple(things)


def _furniture(rng: np.random.Generator) -> Mesh:
    """Posts, bins and hedges along a kerb."""
    charts = Charts()
    builder = MeshBuilder(charts)
    for _ in range(int(rng.integers(2, 6))):
        x = rng.uniform(-14, 14)
        kind = rng.random()
        gray = int(rng.integers(50, 170))
        if kind < 0.5:
            builder.box((x, 0, 2.2), (0.14, 0.14, 4.4), charts.swatch((gray, gray, gray), Kind.METAL))
        elif kind < 0.75:
            color = (int(rng.integers(30, 200)), int(rng.integers(30, 200)), int(rng.integers(30, 200)))
            builder.box((x, 0, 0.55), (0.6, 0.6, 1.1), charts.swatch(color))
        else:
            builder.box((x, 0, 0.5), (rng.uniform(2, 5), 0.8, 1.0), charts.swatch((45, gray // 2 + 30, 35)))
    return builder.build()
