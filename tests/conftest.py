"""Shared by every test: one thread a process (oversubscription slows torch tenfold), and where real photographs may lie."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

import vreid_common  # noqa: F401 - FastReID can be imported from here on

torch.set_num_threads(1)

ROOT = Path(__file__).parent.parent


@pytest.fixture
def photos() -> Path:
    """The folder of real photographs with its vehicles.csv; tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("VREID_PHOTOS", ROOT.parent / "shared" / "photos"))
    if not (folder / "vehicles.csv").is_file():
        pytest.skip(f"the real photographs are not there: {folder}/vehicles.csv (set VREID_PHOTOS)")
    return folder
