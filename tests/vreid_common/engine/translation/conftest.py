"""Two folders whose images differ by domain, and a translator small enough to be trained in a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vreid_common import cli

TINY = ["--size", "16", "--width", "4", "--halvings", "1", "--blocks", "1", "--batch-size", "2", "--workers", "0"]
TINY += ["--discriminator-width", "4", "--discriminator-layers", "2", "--discriminator-scales", "1", "--device", "cpu"]


@pytest.fixture(scope="session")
def domains(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """``synthetic`` has 7 dark pictures and labels, ``real`` 5 bright ones."""
    root = tmp_path_factory.mktemp("domains")
    random = np.random.default_rng(0)
    for name, count, level in (("synthetic", 7, 60), ("real", 5, 190)):
        (root / name).mkdir()
        for number in range(count):
            pixels = np.kron(random.integers(-50, 50, (4, 4, 3)), np.ones((5, 5, 1))) + level
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{number}.png")
    (root / "synthetic" / "labels.txt").write_text("0.png 7\n")
    return root / "synthetic", root / "real"


@pytest.fixture
def translate() -> Callable[..., int]:
    """``translate("train", ...)``: the command's status."""

    def run(*arguments: object) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main(["translate", *map(str, arguments)])
        return ended.value.code

    return run


@pytest.fixture
def train(translate: Callable[..., int], domains: tuple[Path, Path]) -> Callable[..., int]:
    """``train(output, iterations, ...)``: trains the tiny translator; later arguments win."""

    def run(output: Path, iterations: int, *arguments: object) -> int:
        given = ["--source", domains[0], "--target", domains[1], "--output", output, "--iterations", iterations]
        return translate("train", *given, *TINY, *arguments)

    return run
