"""A gallery and queries with small pictures, and a session of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common.browse import Session
from vreid_common.reranking import build_pipeline
from vreid_common.structures import FeatureSet

PLAIN, K_RECIPROCAL, TRACKS = "no re-ranking", "k-reciprocal", "tracks"


@pytest.fixture
def pipelines():
    return {
        PLAIN: build_pipeline([]),
        K_RECIPROCAL: build_pipeline([{"k_reciprocal": {"k1": 6, "k2": 2}}]),
        TRACKS: build_pipeline(["tracklet_distance"]),
    }


def make_sets(folder: Path) -> tuple[FeatureSet, FeatureSet]:
    """(6 queries, 40 gallery images) of 5 vehicles, with images that are the same and labels that are unknown."""
    rng = np.random.default_rng(0)

    def make(name: str, count: int) -> FeatureSet:
        pids = np.arange(count) % 5
        features = np.eye(8, dtype=np.float32)[pids] + rng.normal(0, 0.6, (count, 8)).astype(np.float32)
        paths = []
        for row in range(count):
            paths.append(str(folder / f"{name}_{row:02d}_of_{pids[row]}.png"))
            Image.new("RGB", (24, 16), (50 * int(pids[row]), 5 * row, 120)).save(paths[-1])
        return FeatureSet.create(
            features, pids, rng.integers(-1, 3, count), np.arange(count) // 3, rng.integers(-1, 3, count), paths,
            np.where(np.arange(count) % 7 == 0, -1, 100 + 10 * np.arange(count)),
        )  # fmt: skip

    query, gallery = make("query", 6), make("gallery", 40)
    gallery.features[[9, 21, 30]] = gallery.features[4].clone()  # ties
    gallery.pids[11] = -1
    Path(gallery.paths[0]).unlink()
    return query, gallery


@pytest.fixture
def sets(tmp_path: Path) -> tuple[FeatureSet, FeatureSet]:
    return make_sets(tmp_path)


@pytest.fixture(scope="module")
def lasting_sets(tmp_path_factory) -> tuple[FeatureSet, FeatureSet]:
    """The same for all tests of a module."""
    return make_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (10, 10), (200, 10, 10)).save(tmp_path / "mine.png")
    return tmp_path / "mine.png"


@pytest.fixture
def embed() -> Callable[[str], FeatureSet]:
    """A model for pictures: a feature that tells what was read."""

    def embed(path: str) -> FeatureSet:
        colour = np.asarray(Image.open(path).convert("RGB")).mean((0, 1)) / 255
        return FeatureSet.create(torch.tensor([[*colour, 0, 0, 0.1, 0, 0]]), [-1], paths=[path])

    return embed


@pytest.fixture
def session(sets, pipelines, embed) -> Session:
    query, gallery = sets
    return Session(gallery, pipelines, query, embed=embed)
