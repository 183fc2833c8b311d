"""The Python in docs/features.md runs as it stands."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vreid_common.config import get_vreid_cfg
from vreid_common.engine import Trainer


def test_examples_run(run_examples, baselines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("crops").mkdir()
    for number in range(3):
        Image.fromarray(np.full((40, 50, 3), 80 * number, np.uint8)).save(f"crops/{number}.png")
    Path("model_final.pth").write_bytes(b"weights")
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE, cfg.INPUT.SIZE_TEST = "cpu", [32, 32]
    (Path("logs") / "mine").mkdir(parents=True)
    Path("logs/mine/config.yaml").write_text(cfg.dump())
    model = Trainer.build_model(cfg)
    torch.save({"model": model.state_dict()}, "logs/mine/model_final.pth")
    trained = {"model_final.pth": lambda: baselines[0]}
    given = run_examples("docs/features.md", first=baselines[0], second=baselines[1], cfg=cfg, trained=trained)
    assert given["features"].paths == ("crops/0.png", "crops/1.png", "crops/2.png")
    assert given["by_command"].paths == given["features"].paths
    assert torch.equal(given["vectors"], given["features"].features)
    assert given["expanded"].shape == given["vectors"].shape
