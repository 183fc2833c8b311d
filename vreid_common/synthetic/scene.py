"""The plan of a scene: which vehicle passes which camera when, and the images taken of it.

Everything is a pure function of (size, domain, seed), so any process can plan and render any part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np

from vreid_common.synthetic.camera import Camera, Pose
from vreid_common.synthetic.identity import Vehicle, make_vehicle
from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.shading import Light
from vreid_common.synthetic.sizes import FRAMES_PER_TRACKLET, RenderSize

__all__ = ["FRAME_RATE", "Domain", "Scene", "Shot", "Split", "Tracklet", "degrees_of"]

_PLAN = 202  # first number of this module's random streams
_TRIP, _LENGTHS, _NETWORK = 0, 1, 2

FRAME_RATE = 25
"""Camera frames a second; timestamps count these."""
_HOURS = 9.0
_FIRST_TRIP_SECONDS = 60.0


class Domain(IntEnum):
    """Where images come from; the value is ``VehicleImage.domain``."""

    STREET = 0
    STUDIO = 1


class Split(IntEnum):
    """Half of a data set that an identity belongs to."""

    TRAIN = 0
    TEST = 1


@dataclass(frozen=True)
class Tracklet:
    """One passage of one vehicle through one camera's view.

    ``track_id`` and ``vehicle_id`` count from 1 through the whole scene (training identities first), ``vehicle`` from 0 within
    its split, ``camera`` from 0. ``start`` is the timestamp of the first image in camera frames; ``query`` is the image that
    becomes the query of a test identity.
    """

    track_id: int
    vehicle_id: int
    vehicle: int
    split: Split
    camera: int
    start: int
    frames: int
    query: int


@dataclass(frozen=True)
class Shot:
    """Everything needed to render one image, and VehicleX's attributes of it.

    ``azimuth`` (orientation), ``light_direction`` in degrees, 0 ahead of the vehicle and 90 on its left; ``camera_height`` and
    ``camera_distance`` (along the ground) in metres; ``light_intensity`` 1 is full sun.
    """

    tracklet: Tracklet
    frame: int
    timestamp: int
    camera: Camera
    pose: Pose
    light: Light
    azimuth: float
    light_intensity: float
    light_direction: float
    camera_height: float
    camera_distance: float


def degrees_of(direction: np.ndarray) -> float:
    """Azimuth of a vector (3,) or (2,) in degrees, 0..360, anti-clockwise from +x."""
    return float(np.degrees(np.arctan2(direction[1], direction[0])) % 360.0)


@dataclass(frozen=True)
class Scene:
    """A planned data set. ``seed`` is a not-negative integer."""

    size: RenderSize
    domain: Domain
    seed: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"The seed of a rendered data set must not be negative, got {self.seed}.")

    def vehicle(self, split: Split, index: int) -> Vehicle:
        """Vehicle number ``index`` (from 0) of a split."""
        return make_vehicle(self.seed, self.domain, split, index)

    @property
    def tracklets(self) -> list[Tracklet]:
        """All tracklets, by vehicle and then by time."""
        return [t for split, count in enumerate(self.counts) for i in range(count) for t in self.tracklets_of(Split(split), i)]

    @property
    def counts(self) -> tuple[int, int]:
        """Identities of each split."""
        return self.size.train_ids, self.size.test_ids

    def tracklets_of(self, split: Split, vehicle: int) -> list[Tracklet]:
        """The tracklets of vehicle number ``vehicle`` (from 0) of a split, by time."""
        place = vehicle + (self.size.train_ids if split else 0)
        first = place * self.size.visits
        lengths = _lengths(self)[first : first + self.size.visits]
        return [
            Tracklet(first + i + 1, place + 1, vehicle, split, camera, start, frames, query=int(draw * frames))
            for i, ((camera, start, draw), frames) in enumerate(zip(self._trip(split, vehicle), lengths, strict=True))
        ]

    def _trip(self, split: Split, vehicle: int) -> Iterator[tuple[int, int, float]]:
        """Cameras along one drive round the ring road: (camera, timestamp, uniform draw).

        The drive starts at a random camera; the vehicle turns off and on again, so that it misses some.
        """
        rng = generator(self.seed, _PLAN, self.domain, _TRIP, split, vehicle)
        size = self.size
        places = _places(self)
        first = int(rng.integers(size.cameras))
        passed = np.sort(rng.choice(size.cameras, size=size.visits, replace=False))
        seconds = _FIRST_TRIP_SECONDS + rng.uniform(0, (_HOURS - 1) * 3600)
        speed = rng.uniform(7.0, 14.0)
        here = places[first]
        for step in passed:
            camera = int((first + step) % size.cameras)
            seconds += float((places[camera] - here) % places[-1]) / speed * rng.uniform(1.0, 1.4)
            here = places[camera]
            yield camera, int(seconds * FRAME_RATE), float(rng.uniform())


@lru_cache(maxsize=4)
def _lengths(scene: Scene) -> list[int]:
    """Number of images of each tracklet."""
    blocks = -(-scene.size.tracklets // len(FRAMES_PER_TRACKLET))
    rng = generator(scene.seed, _PLAN, scene.domain, _LENGTHS)
    return np.concatenate([rng.permutation(FRAMES_PER_TRACKLET) for _ in range(blocks)])[: scene.size.tracklets].tolist()


@lru_cache(maxsize=4)
def _places(scene: Scene) -> np.ndarray:
    """Metres along the ring road of each camera, and the road's length last."""
    rng = generator(scene.seed, _PLAN, scene.domain, _NETWORK)
    return np.cumsum(rng.uniform(250, 700, size=scene.size.cameras + 1))
