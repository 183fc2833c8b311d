"""Raw-pixel difficulty, run as the documentation runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "difficulty.py"


def test_script_prints_metrics_within_and_across_views(tmp_path):
    command = [sys.executable, SCRIPT, "StreetVehicles", "DATASETS.RENDER.SIZE", "tiny"]
    environment = os.environ | {"FASTREID_DATASETS": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert "same camera excluded" in done.stdout
    found = {name.strip(): float(value) for name, value in re.findall(r"^  (\S.*?)\s+([\d.]+) %$", done.stdout, re.MULTILINE)}
    assert {"mAP", "Rank-1", "mAP (same view)", "mAP (cross view)"} <= set(found)
    assert found["mAP (cross view)"] < found["mAP (same view)"]
    assert found["mAP"] == pytest.approx(50, abs=49)
