"""The Python in docs/evaluation.md runs as it stands."""

import re
from pathlib import Path

import numpy as np
import torch

from vreid_common.registry import PROTOCOL_REGISTRY

PAGE = Path(__file__).parents[3] / "docs" / "evaluation.md"


def test_examples_run():
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 3
    rng = np.random.default_rng(0)
    given = {"distance": rng.random((5, 20)), "query": torch.randn(5, 4), "gallery": torch.randn(20, 4)}
    for side, size in (("query", 5), ("gallery", 20)):
        given |= {f"{side}_pids": rng.integers(0, 3, size), f"{side}_camids": rng.integers(0, 3, size)}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), given)
    assert 0 < given["metrics"].mAP <= 1
    assert "NextCameraOnly" in PROTOCOL_REGISTRY.names
