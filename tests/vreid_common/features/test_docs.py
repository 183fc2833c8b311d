"""The Python in docs/features.md runs as it stands."""

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vreid_common.config import get_vreid_cfg

PAGE = Path(__file__).parents[3] / "docs" / "features.md"


def test_examples_run(baselines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("crops").mkdir()
    for number in range(3):
        Image.fromarray(np.full((40, 50, 3), 80 * number, np.uint8)).save(f"crops/{number}.png")
    Path("model_final.pth").write_bytes(b"weights")
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE, cfg.INPUT.SIZE_TEST = "cpu", [32, 32]
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 3
    given = {"first": baselines[0], "second": baselines[1], "cfg": cfg}
    given["trained"] = {"model_final.pth": lambda: baselines[0]}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), given)
    assert given["features"].paths == ("crops/0.png", "crops/1.png", "crops/2.png")
    assert torch.equal(given["vectors"], given["features"].features)
    assert given["expanded"].shape == given["vectors"].shape
