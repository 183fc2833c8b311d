"""The Python in docs/evaluation.md runs as it stands."""

import numpy as np
import torch

from vreid_common.registry import PROTOCOL_REGISTRY


def test_examples_run(run_examples):
    rng = np.random.default_rng(0)
    given = {"distance": rng.random((5, 20)), "query": torch.randn(5, 4), "gallery": torch.randn(20, 4)}
    for side, size in (("query", 5), ("gallery", 20)):
        given |= {f"{side}_pids": rng.integers(0, 3, size), f"{side}_camids": rng.integers(0, 3, size)}
    given = run_examples("docs/evaluation.md", **given)
    assert 0 < given["metrics"].mAP <= 1
    assert "NextCameraOnly" in PROTOCOL_REGISTRY.names
