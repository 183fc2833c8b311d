"""The demo's command on a few small images, from training to the files that it leaves."""

import json
from pathlib import Path

import pytest
import torch
from dsam import DSAMTrainer, add_dsam_config

from vreid_common.engine import main
from vreid_common.report import read_curve

DEMO = Path(__file__).parents[3] / "projects" / "DSAM" / "configs" / "Demo"


@pytest.mark.parametrize("name", ["S-D", "Arc-T"])
def test_trains_and_evaluates(vehicles, tmp_path, name):
    options = {
        "DATASETS.NAMES": "['CSVVehicles']",
        "DATASETS.TESTS": "['CSVVehicles']",
        "DATASETS.CSV.FILE": vehicles,
        "DATALOADER.NUM_INSTANCE": 2,
        "DATALOADER.NUM_WORKERS": 0,
        "SOLVER.IMS_PER_BATCH": 8,
        "SOLVER.MAX_EPOCH": 1,
        "SOLVER.STEPS": "[]",
        "SOLVER.WARMUP_ITERS": 0,
        "TEST.NUM_WORKERS": 0,
        "TEST.EVAL_PERIOD": 1,
        "OUTPUT_DIR": tmp_path,
    }
    arguments = [str(text) for pair in options.items() for text in pair]
    try:
        main(add_dsam_config, DSAMTrainer, ["--config-file", str(DEMO / f"{name}.yml"), *arguments])
    finally:
        torch.use_deterministic_algorithms(False)
    found = json.loads((tmp_path / "results.json").read_text())["dataset"]["CSVVehicles"]
    assert {"mAP", "Rank-1", "Rank-5", "intra", "inter", "inter/intra", "intra angle", "inter angle"} <= set(found)
    curve = read_curve(tmp_path)
    assert 100 * curve[0] == pytest.approx(found["Rank-1"], abs=1e-3)
    assert 100 * curve[4] == pytest.approx(found["Rank-5"], abs=1e-3)
