"""Sun and clouds over the day."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vreid_common.synthetic.rng import generator
from vreid_common.synthetic.shading import Light

__all__ = ["daylight"]

_WEATHER = 404  # first number of this module's random streams
_CLOUD_HOURS = 0.5
_SUNRISE, _SUNSET = 5.5, 19.5


def daylight(seed: int, hour: float, heading: float) -> tuple[Light, float]:
    """Light at an hour of the day.

    Args:
        seed: the scene's seed; it decides when clouds pass.
        hour: 0..24, between sunrise and sunset.
        heading: compass direction of the world frame's x axis in radians, clockwise from north.

    Returns:
        The light, and the sun's strength between 0 (overcast) and 1.
    """
    day = (hour - _SUNRISE) / (_SUNSET - _SUNRISE)
    elevation = np.radians(12.0 + 50.0 * np.sin(np.pi * day))
    compass = np.pi * (0.5 + day)  # east at sunrise, south at noon, west at sunset
    turn = heading - compass
    direction = np.array([np.cos(elevation) * np.cos(turn), np.cos(elevation) * np.sin(turn), np.sin(elevation)])

    block, rest = divmod(hour / _CLOUD_HOURS, 1.0)
    before, after = _clouds(seed, int(block)), _clouds(seed, int(block) + 1)
    clouds = np.clip(1.6 * (before + (after - before) * rest) - 0.3, 0.0, 1.0)
    strength = float(1.0 - 0.92 * clouds)
    warm = 0.6 * (1.0 - np.sin(elevation))
    sun = 1.35 * strength * np.array([1.0, 1.0 - 0.12 * warm, 1.0 - 0.38 * warm])
    sky = (0.42 + 0.22 * clouds) * np.array([0.90 + 0.08 * clouds, 0.98, 1.12 - 0.10 * clouds])
    ground = 0.20 * (sun * direction[2] + sky) * np.array([1.05, 1.0, 0.93])
    return Light(direction, sun, sky, ground), strength


@lru_cache(maxsize=64)
def _clouds(seed: int, block: int) -> float:
    return float(generator(seed, _WEATHER, block).uniform())
