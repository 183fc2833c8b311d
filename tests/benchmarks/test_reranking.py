"""benchmarks/reranking.py runs, and what it compares with computes the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_quick_run_measures_every_technique():
    command = [sys.executable, BENCHMARKS / "reranking.py", "--quick", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    line = r"^(.+): [\d.]+ against [\d.]+ images/s, ratio [\d.]+; memory [-\d.]+ / [-\d.]+ MiB; peer: (.+)$"
    measured = re.findall(line, done.stdout, re.MULTILINE)
    assert [name for name, _ in measured] == (
        ["k-reciprocal 20/6"] * 3 + ["alpha query expansion", "database augmentation", "diffusion"]
    )


def test_peers_compute_the_same():
    code = """
import numpy as np, torch, reranking
from clustered import clustered_features

features, pids = clustered_features(400, 32)
query, gallery = features[:40].contiguous(), features[40:].contiguous()
np.testing.assert_allclose(reranking.ours(query, gallery, 20, 6), reranking.zhong(query, gallery, 20, 6), atol=2e-5)
assert reranking.jaccard(query, gallery, 20, 6).shape == (40, 360)
assert reranking.faiss_search(query, gallery, 21).shape == (400, 21)
np.testing.assert_allclose(reranking.augmentation(query, gallery), reranking.plain_augmentation(query, gallery), atol=1e-5)
ours, plain = reranking.diffused(query, gallery).numpy(), reranking.plain_diffusion(query, gallery)
assert np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(ours, plain)]) > 0.99
"""
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
