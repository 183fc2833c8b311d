"""The studio: a vehicle on a plain floor, with VehicleX's attributes: orientation, light, camera height and distance."""

from __future__ import annotations

import numpy as np

from vreid_common.synthetic.camera import Camera, Pose
from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.scene import Scene, Shot, Tracklet, degrees_of
from vreid_common.synthetic.shading import Light

__all__ = ["studio_shots"]

_STUDIO = 505  # first number of this module's random streams
_CAMERA, _TURN = 0, 1
_STEP = 3
_FOCAL = 900.0


def studio_shots(scene: Scene, tracklet: Tracklet) -> list[Shot]:
    """The images of one tracklet: the vehicle turns by a few degrees from image to image, everything else stays.

    Each virtual camera has its own range of orientations and heights, so that its view is mostly one side's.
    """
    camera = generator(scene.seed, _STUDIO, _CAMERA, tracklet.camera)
    center, height, reach = camera.uniform(0, 360), camera.uniform(2.0, 6.0), camera.uniform(9.0, 15.0)
    rng = generator(scene.seed, _STUDIO, _TURN, tracklet.split, tracklet.track_id)
    shape = scene.vehicle(tracklet.split, tracklet.vehicle).shape
    orientation, turn = center + rng.normal(0, 25), rng.choice([-1, 1]) * rng.uniform(2, 6)
    height += rng.uniform(-0.7, 0.7)
    distance = reach + rng.uniform(-1.5, 1.5) + max(0.0, shape.length - 5.0)
    intensity, light_azimuth = float(rng.uniform(0.3, 1.0)), rng.uniform(0, 2 * np.pi)
    elevation = rng.uniform(0.6, 1.2)
    direction = np.array(
        [np.cos(elevation) * np.cos(light_azimuth), np.cos(elevation) * np.sin(light_azimuth), np.sin(elevation)]
    )
    light = Light(direction, np.full(3, 1.25 * intensity), np.full(3, 0.55), np.full(3, 0.22))
    shots = []
    for frame in range(tracklet.frames):
        angle = np.radians(orientation + turn * frame)
        eye = np.array([distance * np.cos(angle), distance * np.sin(angle), height])
        shots.append(
            Shot(
                tracklet=tracklet,
                frame=frame,
                timestamp=tracklet.start + frame * _STEP,
                camera=Camera.look_at(eye, np.array([0.0, 0.0, 0.45 * shape.height]), _FOCAL),
                pose=Pose(),
                light=light,
                azimuth=degrees_of(eye),
                light_intensity=intensity,
                light_direction=degrees_of(direction),
                camera_height=float(height),
                camera_distance=float(distance),
            )
        )
    return shots
