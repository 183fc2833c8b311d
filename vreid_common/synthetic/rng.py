"""Random numbers that depend on what is drawn, never on when or by which process."""

import numpy as np

__all__ = ["generator"]


def generator(seed: int, *path: int) -> np.random.Generator:
    """Generator for one thing of one scene, e.g. ``generator(seed, domain, Stream.FRAME, track, frame)``.

    Args:
        seed: the scene's seed, not negative.
        path: not-negative integers that say what is drawn.

    Returns:
        An independent Philox stream for each ``(seed, *path)``; the same one in every process.
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=path)))
