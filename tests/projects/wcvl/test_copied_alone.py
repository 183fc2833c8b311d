"""The project's folder by itself, somewhere else, beside an installed vreid_common: trains both stages and evaluates."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

SMALL = """
_BASE_: configs/Demo/wcvl_r18.yml
INPUT: {SIZE_TRAIN: [32, 32], SIZE_TEST: [32, 32]}
DATASETS: {NAMES: [CSVVehicles], TESTS: [CSVVehicles]}
DATALOADER: {NUM_INSTANCE: 2, NUM_WORKERS: 0}
SOLVER: {MAX_EPOCH: 1, IMS_PER_BATCH: 8, WARMUP_ITERS: 1, STEPS: []}
WCVL: {SOLVER: {MAX_EPOCH: 1, STEPS: []}}
TEST: {NUM_WORKERS: 0}
OUTPUT_DIR: out
"""


def test_a_copied_project_runs_alone(vehicles: Path, tmp_path: Path):
    project = tmp_path / "elsewhere"
    shutil.copytree(ROOT / "projects" / "WCVL", project, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "small.yml").write_text(SMALL)
    result = subprocess.run(
        [sys.executable, "train_net.py", "--config-file", "small.yml", "DATASETS.CSV.FILE", str(vehicles)],
        cwd=project,
        env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    results = json.loads((project / "out" / "results.json").read_text())["dataset"]["CSVVehicles"]
    assert {"mAP", "Rank-1", "Rank-5", "CSC", "main/mAP", "main/CSC"} <= set(results)
    assert (project / "out" / "main" / "model_final.pth").is_file()
    assert (project / "out" / "wcvl" / "model_final.pth").is_file()
    assert "main module alone" in result.stdout
    assert "Stage 1 of 2: VehicleBaseline, in out/main." in result.stdout
    assert "Stage 2 of 2: WCVL, in out/wcvl." in result.stdout
    assert result.stdout.count("Cost of the cross-view module") == 1
    # The copy was used, not the installed project: only the copy has compiled files beside it.
    assert (project / "wcvl" / "__pycache__").is_dir()
