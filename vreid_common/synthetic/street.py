"""The street: fixed cameras beside a road, vehicles driving by, the day's sun and clouds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vreid_common.structures import VIEWS
from vreid_common.synthetic.camera import Camera, Pose
from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.scene import FRAME_RATE, Scene, Shot, Tracklet, degrees_of
from vreid_common.synthetic.weather import daylight

__all__ = ["Site", "make_site", "street_shots"]

_STREET = 303  # first number of this module's random streams
_SITE, _PASSAGE = 0, 1

_STEP = 3
"""Camera frames between two images of a tracklet."""
_MORNING = 8.0
"""Hour of the day at timestamp 0."""
_REVERSE = 0.08
"""Share of passages against the camera's usual direction."""


@dataclass(frozen=True)
class Site:
    """One roadside camera. The camera stands above (0, 0), the traffic's path runs along +x at ``path_y``.

    ``view`` is the side of passing traffic that it mostly sees; ``heading`` the compass direction of +x, radians;
    the rest is what its sensor does: see :mod:`~vreid_common.synthetic.sensor`.
    """

    view: int
    camera: Camera
    path_x: float
    path_y: float
    heading: float
    cast: np.ndarray
    exposure: float
    contrast: float
    saturation: float
    blur: float
    haze: float
    noise: float
    jpeg_quality: int


@lru_cache(maxsize=64)
def make_site(seed: int, index: int) -> Site:
    """Camera number ``index`` of a scene. Neighbouring cameras see different sides of the traffic."""
    rng = generator(seed, _STREET, _SITE, index)
    view = index % len(VIEWS)
    side = 1.0 if rng.random() < 0.5 else -1.0
    if VIEWS[view] == "side":
        x, y, height = rng.uniform(-1.5, 1.5), side * rng.uniform(10.0, 13.5), rng.uniform(2.8, 5.5)
    else:
        x, y, height = rng.uniform(14, 20), side * rng.uniform(2.5, 9.0), rng.uniform(4.2, 7.0)
        x = -x if VIEWS[view] == "front" else x
    focal = rng.uniform(600, 1200)
    return Site(
        view=view,
        camera=Camera.look_at(np.array([0.0, 0.0, height]), np.array([x, y, 0.8]), focal),
        path_x=float(x),
        path_y=float(y),
        heading=float(rng.uniform(0, 2 * np.pi)),
        cast=np.exp(rng.normal(0, 0.05, size=3)),
        exposure=float(np.exp(rng.normal(0, 0.12))),
        contrast=float(rng.uniform(0.88, 1.18)),
        saturation=float(rng.uniform(0.8, 1.15)),
        blur=float(rng.uniform(0.0, 0.5)),
        haze=float(rng.uniform(0.0, 0.05)),
        noise=float(rng.uniform(0.006, 0.024)),
        jpeg_quality=int(rng.integers(45, 92)),
    )


def street_shots(scene: Scene, tracklet: Tracklet) -> list[Shot]:
    """The images of one passage: the vehicle drives a straight line past the camera at constant speed."""
    site = make_site(scene.seed, tracklet.camera)
    rng = generator(scene.seed, _STREET, _PASSAGE, tracklet.split, tracklet.track_id)
    shape = scene.vehicle(tracklet.split, tracklet.vehicle).shape
    yaw = float(np.radians(rng.normal(0, 5)))
    lane = float(rng.normal(0, 0.5))
    speed = rng.uniform(7.0, 13.0)
    middle = site.path_x + rng.uniform(-1.5, 1.5)
    if VIEWS[site.view] != "side":  # long vehicles are caught farther away, when they fit into the frame
        middle += np.sign(site.path_x) * max(0.0, shape.length - 5.0) * 0.8
    else:
        lane += np.sign(site.path_y) * max(0.0, shape.length - 5.0) * 0.5
    reverse = rng.random() < _REVERSE
    direction = -1.0 if reverse else 1.0
    shots = []
    for frame in range(tracklet.frames):
        along = direction * speed * _STEP / FRAME_RATE * (frame - (tracklet.frames - 1) / 2)
        pose = Pose(float(middle + along * np.cos(yaw)), float(site.path_y + lane + along * np.sin(yaw)), yaw + np.pi * reverse)
        timestamp = tracklet.start + frame * _STEP
        light, intensity = daylight(scene.seed, _MORNING + timestamp / FRAME_RATE / 3600, site.heading)
        eye = pose.to_local(site.camera.eye)
        sun = pose.direction_to_local(light.direction)
        shots.append(
            Shot(
                tracklet=tracklet,
                frame=frame,
                timestamp=timestamp,
                camera=site.camera,
                pose=pose,
                light=light,
                azimuth=degrees_of(eye),
                light_intensity=intensity,
                light_direction=degrees_of(sun),
                camera_height=float(eye[2]),
                camera_distance=float(np.hypot(eye[0], eye[1])),
            )
        )
    return shots
