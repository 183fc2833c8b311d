"""Shared by every test: one thread a process (oversubscription slows torch tenfold), and where real photographs may lie."""

import csv
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from PIL import Image

import vreid_common  # noqa: F401 - FastReID can be imported from here on
from vreid_common.engine.console import take_down_logging

torch.set_num_threads(1)

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _what_main_sets() -> Iterator[None]:
    """``main`` belongs to a process of its own: here its log handlers and kernel choices are taken back.

    A log left open would be written to by the tests that follow, when its folder is gone.
    """
    level = logging.getLogger().level
    yield
    take_down_logging()
    logging.getLogger().setLevel(level)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def photos() -> Path:
    """The folder of real photographs with its vehicles.csv; tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("VREID_PHOTOS", ROOT.parent / "shared" / "photos"))
    if not (folder / "vehicles.csv").is_file():
        pytest.skip(f"the real photographs are not there: {folder}/vehicles.csv (set VREID_PHOTOS)")
    return folder


@pytest.fixture(scope="session")
def vehicles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vehicles.csv of 32×32 images in which every identity has its own colours.

    6 training identities with 5 images each; 4 test identities with one query and two gallery images each, in three cameras.
    """
    folder = tmp_path_factory.mktemp("vehicles")
    random = np.random.default_rng(0)
    rows = []

    def draw(identity: int, camera: int, split: str, number: int) -> None:
        colours = np.random.default_rng(identity).integers(0, 256, (4, 4, 3))
        pixels = np.kron(colours, np.ones((8, 8, 1))) + random.normal(0, 20, (32, 32, 3))
        name = f"{identity}_{camera}_{number}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
        rows.append([name, identity, camera, split])

    for identity in range(6):
        for number in range(5):
            draw(identity, number % 3, "train", number)
    for identity in range(6, 10):
        draw(identity, 0, "query", 0)
        draw(identity, 1, "gallery", 1)
        draw(identity, 2, "gallery", 2)
    with (folder / "vehicles.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "vehicle_id", "camera_id", "split"], *rows])
    return folder / "vehicles.csv"


@pytest.fixture(scope="session")
def run_examples() -> Callable[..., dict[str, object]]:
    """A function: (page, names) runs the Python of a page, in order, with the names that it takes for granted; returns them."""

    def run(page: str, **names: object) -> dict[str, object]:
        examples = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        assert examples, f"{page} has no Python"
        for example in examples:
            exec(compile(example, page, "exec"), names)
        return names

    return run


@pytest.fixture(scope="session")
def run_workers() -> Callable[[Path, Path, Sequence[tuple[int, int]]], None]:
    """A function: (script, folder, (number of processes, rank) of each) runs a script as processes side by side, until all end.

    The script's arguments are rank, number of processes and folder.
    """

    def run(script: Path, folder: Path, processes: Sequence[tuple[int, int]]) -> None:
        running = [
            subprocess.Popen([sys.executable, script, str(rank), str(world), folder], stderr=subprocess.PIPE, text=True)
            for world, rank in processes
        ]
        try:
            for process in running:
                _, errors = process.communicate(timeout=240)
                assert process.returncode == 0, errors
        finally:
            for process in running:
                process.kill()

    return run
