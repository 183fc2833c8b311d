"""A command that is killed at any moment leaves something whole, and run again it ends like one that was never killed."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kill_moments.py")

CONFIG = """
MODEL:
  DEVICE: cpu
  BACKBONE: {NAME: build_osnet_backbone, DEPTH: x0_25, FEAT_DIM: 128}
  HEADS: {WITH_BNNECK: true}
  LOSSES: {NAME: [CrossEntropyLoss, TripletLoss]}
INPUT:
  SIZE_TRAIN: [32, 32]
  SIZE_TEST: [32, 32]
  FLIP: {ENABLED: true}
DATASETS: {CSV: {FILE: FILE}, NAMES: [CSVVehicles], TESTS: [CSVVehicles]}
DATALOADER: {SAMPLER_TRAIN: NaiveIdentitySampler, NUM_INSTANCE: 2, NUM_WORKERS: 0}
SOLVER: {MAX_EPOCH: 2, WARMUP_ITERS: 2, IMS_PER_BATCH: 8, STEPS: [1], CHECKPOINT_PERIOD: 1}
TEST: {IMS_PER_BATCH: 8, EVAL_PERIOD: 1, NUM_WORKERS: 0}
"""


@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of itself")
def test_twenty_kills_lose_nothing(vehicles: Path, tmp_path: Path):
    config = tmp_path / "tiny.yml"
    config.write_text(CONFIG.replace("FILE: FILE", f"FILE: {vehicles}"))
    folder = tmp_path / "runs"
    folder.mkdir()
    arguments = [sys.executable, SCRIPT, folder, config, vehicles.parent, "0"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=840)
    assert done.returncode == 0, done.stderr[-3000:]
    moments = [json.loads(line) for line in done.stdout.splitlines()]
    assert Counter(moment["operation"] for moment in moments) == {
        "training": 9, "evaluation": 2, "extraction_images_a": 3, "add": 2, "remove": 2, "render": 2,
    }  # fmt: skip
    for moment in moments:
        assert moment["status"] == -9, moment
        assert moment["intact"], moment  # as it was, or as it was to become
        assert moment.get("again", 0) == 0, moment
        assert moment["same"], moment
