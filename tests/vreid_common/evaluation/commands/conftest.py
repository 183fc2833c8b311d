"""Feature files of 12 query and 120 gallery images, and the ``vreid`` command."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vreid_common.cli import main
from vreid_common.structures import FeatureSet

LABELS = ("pids", "camids", "track_ids", "view_ids")


def draw(seed: int, size: int) -> FeatureSet:
    """Noisy images of 6 vehicles in 4 cameras, each pass before a camera a track."""
    rng = np.random.default_rng(seed)
    pids, camids = np.arange(size) % 6, rng.integers(0, 4, size)
    features = np.random.default_rng(9).normal(size=(6, 8))[pids] + rng.normal(size=(size, 8))
    paths = [f"{seed}_{i}.jpg" for i in range(size)]
    return FeatureSet.create(features, pids, camids, track_ids=pids * 10 + camids, paths=paths)


@pytest.fixture
def sets() -> tuple[FeatureSet, FeatureSet]:
    return draw(0, 12), draw(1, 120)


@pytest.fixture
def files(sets, tmp_path) -> list[str]:
    """``--query FILE --gallery FILE`` with labels."""
    arguments = []
    for name, images in zip(("query", "gallery"), sets, strict=True):
        file = tmp_path / f"{name}.npz"
        np.savez(file, features=images.features, **{label: getattr(images, label) for label in LABELS})
        arguments += [f"--{name}", str(file)]
    return arguments


@pytest.fixture
def unlabelled(sets, tmp_path) -> list[str]:
    """The same as .npy, features alone."""
    arguments = []
    for name, images in zip(("query", "gallery"), sets, strict=True):
        np.save(tmp_path / f"{name}.npy", images.features)
        arguments += [f"--{name}", str(tmp_path / f"{name}.npy")]
    return arguments


@pytest.fixture
def vreid(capsys) -> Callable[..., str]:
    """Runs ``vreid``; returns what it prints on standard output, or on standard error where ``status`` is not 0."""

    def run(*arguments: str | Path, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert ended.value.code == status, printed.err
        return printed.err if status else printed.out

    return run
