"""benchmarks/losses.py runs."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_quick_run_measures():
    command = [sys.executable, BENCHMARKS / "losses.py", "--quick", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    line = r"^DSAM loss, forward and backward: [\d.]+ against [\d.]+ batches/s, ratio [\d.]+; .*peer: (.+)$"
    assert re.findall(line, done.stdout, re.MULTILINE) == ["FastReID 1.4.0's triplet_loss, batch-hard"]
