"""Feature sets of images in clusters."""

from collections.abc import Callable

import numpy as np
import pytest

from vreid_common.structures import FeatureSet


@pytest.fixture
def draw() -> Callable[..., FeatureSet]:
    """A function: (number of images, seed, name) to images of 40 vehicles in 5 cameras, with paths name/0.jpg and so on."""

    def make(size: int, seed: int = 0, name: str = "g", dim: int = 16) -> FeatureSet:
        rng = np.random.default_rng(seed)
        pids, camids = rng.integers(40, size=size), rng.integers(5, size=size)
        features = np.random.default_rng(99).normal(size=(40, dim))[pids] + 0.5 * rng.normal(size=(size, dim))
        features *= rng.uniform(0.5, 2, size=(size, 1))
        return FeatureSet.create(
            features, pids, camids, track_ids=pids * 5 + camids, paths=[f"{name}/{i}.jpg" for i in range(size)]
        )

    return make


@pytest.fixture
def plain_search() -> Callable[..., np.ndarray]:
    """A function: (query, gallery, k, metric) to the k nearest by a loop in float64, ties by index."""

    def search(query: np.ndarray, gallery: np.ndarray, k: int, metric: str) -> np.ndarray:
        query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
        if metric == "cosine":
            query, gallery = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (query, gallery))
        rows = [((gallery - q) ** 2).sum(axis=1) if metric != "dot" else -gallery @ q for q in query]
        return np.stack([np.argsort(row, kind="stable")[:k] for row in rows])

    return search
