"""benchmarks/evaluation.py runs, and what it compares with is the same evaluation."""

import os
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_quick_run_measures():
    command = [sys.executable, BENCHMARKS / "evaluation.py", "--quick", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    line = r"^mAP, CMC, mINP: [\d.]+ against [\d.]+ queries/s, ratio [\d.]+; memory [\d.]+ / [\d.]+ MiB; peer: (.+)$"
    peers = re.findall(line, done.stdout, re.MULTILINE)
    assert len(peers) == 2
    assert "FastReID" in peers[0]
    assert peers[1] == "their product alone"


def test_peers_compute_the_same():
    code = """
import numpy as np, evaluation
problem = evaluation.make_problem(40, 2000, "cpu")
matrix = problem.matrix()
ours = evaluation.evaluate_ranking(matrix, *problem.labels)
fastreid_cmc, ap, inp = evaluation.python_fastreid(matrix, *problem.labels)
for mAP, cmc, mINP in (evaluation.plain_sort(matrix, *problem.labels), (np.mean(ap), fastreid_cmc, np.mean(inp))):
    assert abs(ours.mAP - mAP) < 1e-6 and abs(ours.mINP - mINP) < 1e-6 and np.allclose(ours.cmc, cmc, atol=1e-6)
assert 0.1 < mAP < 0.999
for work in (evaluation.rank, evaluation.verify, evaluation.product):
    work(problem)
"""
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
