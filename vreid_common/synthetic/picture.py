"""Renders one image: vehicle, surroundings and shadow through the camera, cropped as a detector would.

Shape shorthand: S × S pixels of the image, V vertices, T triangles.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from vreid_common.synthetic.backdrop import Backdrop, Thing, make_backdrop, passer_by
from vreid_common.synthetic.camera import Camera, Crop
from vreid_common.synthetic.charts import to_linear
from vreid_common.synthetic.mesh import Mesh
from vreid_common.synthetic.raster import Buffers, rasterize
from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.scene import Domain, Scene, Shot, Split
from vreid_common.synthetic.sensor import expose, to_srgb
from vreid_common.synthetic.shading import Wear, shade
from vreid_common.synthetic.street import make_site
from vreid_common.synthetic.vehicle import build_vehicle

__all__ = ["render_shot"]

_PICTURE = 707  # first number of this module's random streams
_FRAME, _OCCLUDER = 0, 1

_SUPERSAMPLING = 1.5
_WIDEST = 1.4
"""Crops are stretched to squares by at most this factor; a longer vehicle gets surroundings instead."""
_NEAR = 0.5
_MOST_HIDDEN = 0.35
"""Share of the vehicle that other things may hide."""
_LINEAR = to_linear(np.arange(256))
_STUDIO_FLOOR = 0.42
_STUDIO_JPEG = 95


def render_shot(scene: Scene, shot: Shot) -> tuple[np.ndarray, int]:
    """Renders one image.

    Returns:
        The image (S, S, 3) uint8 sRGB, and the JPEG quality with which its camera stores it.
    """
    size = scene.size.image_size
    tracklet = shot.tracklet
    mesh, wear = _vehicle(scene, tracklet.split, tracklet.vehicle)
    screen, _ = shot.camera.project(shot.pose.to_world(mesh.vertices))
    rng = generator(scene.seed, _PICTURE, scene.domain, _FRAME, tracklet.track_id, shot.frame)
    street = scene.domain == Domain.STREET
    crop = _crop(screen, size, rng, 0.05 if street else 0.015)
    others: list[Thing] = []
    backdrop = None
    if street:
        backdrop = make_backdrop(scene.seed, tracklet.camera)
        other = passer_by(scene.seed, tracklet.track_id, shot.pose, shot.frame)
        others = [*backdrop.things, *([other] if other else [])]
    surface = _draw(Thing(mesh, wear, shot.pose), others, shot, crop, size)
    linear = _ground(backdrop, shot, mesh, crop, size)
    linear *= 1.0 - surface[..., 3:]
    linear += surface[..., :3]
    if not street:
        return to_srgb(linear), _STUDIO_JPEG
    site = make_site(scene.seed, tracklet.camera)
    _occlude(linear, generator(scene.seed, _PICTURE, scene.domain, _OCCLUDER, tracklet.track_id), shot.frame)
    return expose(
        linear, site, shot.light.level, 1.0 / max(crop.scale_x, crop.scale_y), rng.uniform(0, 3.0), rng
    ), site.jpeg_quality


@lru_cache(maxsize=4)
def _vehicle(scene: Scene, split: Split, index: int) -> tuple[Mesh, Wear]:
    return build_vehicle(scene.vehicle(split, index))


def _crop(screen: np.ndarray, size: int, rng: np.random.Generator, spread: float) -> Crop:
    """The box round the vehicle, with a margin, a detector's errors, and enough surroundings to limit the stretching."""
    low, high = screen.min(axis=0), screen.max(axis=0)
    extent = (high - low) * (1.04 + rng.uniform(-0.5 * spread, 1.5 * spread, size=2))
    center = (low + high) / 2 + rng.normal(0, spread / 2, size=2) * (high - low)
    extent = np.maximum(extent, extent[::-1] / _WIDEST)
    return Crop(*(center - extent / 2), *(size / extent))


def _draw(vehicle: Thing, others: list[Thing], shot: Shot, crop: Crop, size: int) -> np.ndarray:
    """All meshes with hidden surfaces removed: (S, S, 4) linear RGB weighted by coverage, and coverage.

    What would hide most of the vehicle is left out: a detector would not have found the vehicle.
    """
    side = round(size * _SUPERSAMPLING)
    buffers = Buffers.empty(side, side)
    out = np.zeros((side, side, 4), dtype=np.float32)
    _rasterize(buffers, vehicle, shot, crop)
    _shade(buffers, vehicle, shot, out)
    visible = buffers.face >= 0
    most = _MOST_HIDDEN * np.count_nonzero(visible)
    for thing in others:
        if not _in_sight(thing, shot.camera, crop, size):
            continue
        before = buffers.inverse_depth.copy()
        _rasterize(buffers, thing, shot, crop)
        hidden = visible & (buffers.face >= 0)
        count = np.count_nonzero(hidden)
        if count > most:
            buffers.inverse_depth[...] = before
            continue
        most -= count
        visible &= ~hidden
        _shade(buffers, thing, shot, out)
    return cv2.resize(out, (size, size), interpolation=cv2.INTER_AREA)


def _rasterize(buffers: Buffers, thing: Thing, shot: Shot, crop: Crop) -> None:
    screen, depth = shot.camera.project(thing.pose.to_world(thing.mesh.vertices))
    if depth.min() < _NEAR:  # reaches past the lens
        buffers.face.fill(-1)
    else:
        rasterize(buffers, crop.apply(screen) * _SUPERSAMPLING, depth, thing.mesh.triangles)


def _shade(buffers: Buffers, thing: Thing, shot: Shot, out: np.ndarray) -> None:
    eye, sun = thing.pose.to_local(shot.camera.eye), thing.pose.direction_to_local(shot.light.direction)
    shade(thing.mesh, buffers, eye, shot.light, sun, thing.wear, out)


def _in_sight(thing: Thing, camera: Camera, crop: Crop, size: int) -> bool:
    """Whether a ball round the thing is before the camera and reaches into the crop (quick; says yes too often)."""
    center, depth = camera.project(np.array([[thing.pose.x, thing.pose.y, 0.0]]))
    if depth[0] < thing.mesh.radius + _NEAR:
        return bool(depth[0] > 0)
    # 1.5: off the axis, a ball's picture is longer than its radius seen from the front.
    reach = 1.5 * camera.focal * thing.mesh.radius / (float(depth[0]) - thing.mesh.radius)
    (x, y), reach_x, reach_y = crop.apply(center)[0].tolist(), reach * crop.scale_x, reach * crop.scale_y
    return -reach_x < x < size + reach_x and -reach_y < y < size + reach_y


def _ground(backdrop: Backdrop | None, shot: Shot, mesh: Mesh, crop: Crop, size: int) -> np.ndarray:
    """Ground with the vehicle's shadow, and the surroundings above the horizon: (S, S, 3) linear RGB."""
    light = shot.light
    shadow = cv2.GaussianBlur(_shadow(mesh, shot, crop, size), (0, 0), size / 80)
    contact = cv2.GaussianBlur(_footprint(mesh, shot, crop, size), (0, 0), size / 24)
    sun = (1.0 - shadow)[..., None] * (light.direction[2] * light.sun).astype(np.float32)
    lit = sun + (1.0 - 0.7 * contact)[..., None] * light.sky.astype(np.float32)
    if backdrop is None:
        falloff = np.linspace(1.12, 0.88, size, dtype=np.float32)[:, None, None]
        return np.float32(_STUDIO_FLOOR) * lit * falloff
    matrix = crop.matrix @ shot.camera.ground_homography() @ backdrop.texel_to_world()
    road = cv2.warpPerspective(backdrop.road, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    ground = cv2.LUT(road, _LINEAR) * lit
    sky, above = _far(backdrop, shot.camera, crop, size)
    ground[above] = cv2.LUT(sky, _LINEAR)[above] * (1.3 * light.sky).astype(np.float32)
    return ground


def _far(backdrop: Backdrop, camera: Camera, crop: Crop, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The panorama behind the crop, (S, S, 3) uint8, and which rows (S,) are above the horizon (a camera without roll)."""
    _, down, forward = camera.rotation
    rows = crop.top + (np.arange(size) + 0.5) / crop.scale_y
    slope = (
        -(rows * down[2] + camera.focal * forward[2]) / camera.focal
    )  # of the ray at each row: below the horizon is positive
    above = slope < 0
    if not above.any():
        return np.zeros((size, size, 3), np.uint8), above
    per_radian = 4 * 180 / np.pi
    step = per_radian / camera.focal
    heading = -np.arctan2(forward[1], forward[0]) * per_radian
    top = (backdrop.far.shape[0] - 1) + per_radian * slope[0]
    matrix = np.array([[step / crop.scale_x, 0, heading + step * crop.left], [0, step / crop.scale_y, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(backdrop.far, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_WRAP), above


def _shadow(mesh: Mesh, shot: Shot, crop: Crop, size: int) -> np.ndarray:
    """Where the vehicle's shadow falls on the ground: (S, S) float32, 1 in the shadow."""
    world = shot.pose.to_world(mesh.vertices)
    toward_light = shot.light.direction
    on_ground = world - world[:, 2:] * (toward_light / toward_light[2])
    screen, depth = shot.camera.project(on_ground)
    visible = (depth[mesh.triangles] > _NEAR).all(axis=1)
    buffers = Buffers.empty(size, size)
    # Faces that look towards the light keep their orientation on the ground, so the rasteriser takes just them.
    rasterize(buffers, crop.apply(screen), np.maximum(depth, _NEAR), mesh.triangles[visible])
    return (buffers.inverse_depth > 0).astype(np.float32)


def _footprint(mesh: Mesh, shot: Shot, crop: Crop, size: int) -> np.ndarray:
    """The ground right below the vehicle, where little light of the sky gets: (S, S) float32."""
    low, high = mesh.bounds
    corners = np.array([(low[0], low[1], 0), (high[0], low[1], 0), (high[0], high[1], 0), (low[0], high[1], 0)])
    screen, _ = shot.camera.project(shot.pose.to_world(corners))
    mask = np.zeros((size, size), dtype=np.float32)
    cv2.fillConvexPoly(mask, np.round(crop.apply(screen) * 16).astype(np.int32), 1.0, cv2.LINE_8, 4)
    return mask


def _occlude(linear: np.ndarray, rng: np.random.Generator, frame: int) -> None:
    """Now and then something close to the camera, out of focus, hides a part; it wanders through the tracklet. In place."""
    if rng.random() > 0.12:
        return
    size = linear.shape[0]
    upright = rng.random() < 0.6
    width = int(size * rng.uniform(0.05, 0.16))
    at = int(size * rng.uniform(0.0, 0.9) + frame * rng.uniform(-0.05, 0.05) * size)
    color = rng.uniform(0.01, 0.25) * rng.uniform(0.8, 1.2, size=3)
    mask = np.zeros((size, size), dtype=np.float32)
    if upright:
        mask[:, max(0, at) : max(0, at + width)] = 1.0
    else:  # a bush or a barrier at the lower edge
        for _ in range(5):
            x, reach = int(rng.uniform(0, size)), int(size * rng.uniform(0.06, 0.16))
            cv2.circle(mask, (x, size), reach, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), size / 60)[..., None]
    linear *= 1.0 - mask
    linear += mask * color.astype(np.float32)
