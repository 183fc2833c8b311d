"""benchmarks/processes.py runs: processes that follow the contestant through its turns, and end with it."""

import re
import subprocess
import sys
from pathlib import Path


def test_quick_run_measures_both_works():
    command = [sys.executable, Path(__file__).parents[2] / "benchmarks" / "processes.py", "--quick", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    line = r"^(.+): [\d.]+ against [\d.]+ images/s, ratio [\d.]+; memory .+; peer: (.+), 1 process$"
    measured = re.findall(line, done.stdout, re.MULTILINE)
    ranked, plain = "evaluate_ranking of k_reciprocal_rows", "evaluate_ranking of features"
    assert measured == [("k-reciprocal 20/6, evaluated", ranked), ("mAP, CMC, mINP", plain)]
