"""Every shipped config is read, built and trained for one step, on the CPU, without pretrained weights."""

from pathlib import Path

import pytest
import torch
from template import TemplateTrainer, add_template_config

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "Template" / "configs"
SMALL = ["MODEL.DEVICE", "cpu", "MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "5"]


@pytest.mark.parametrize("path", sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yml")))
def test_smoke_builds_and_trains_a_step(path, make_batch, events):
    cfg = load_config(add_template_config, str(CONFIGS / path), SMALL)
    model = TemplateTrainer.build_model(cfg).train()
    optimizer = TemplateTrainer.build_optimizer(cfg, model)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    losses = model(make_batch())
    assert torch.isfinite(losses["loss_ring"])
    sum(losses.values()).backward()
    optimizer.step()
    moved = [name for name, value in model.named_parameters() if not torch.equal(value, before[name])]
    assert len(moved) > 0.9 * len(before)
    assert any("ring" in name for name in moved)
