"""Backbones as sequences of parts."""

import pytest
import torch
from fastreid.modeling.backbones import build_backbone
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.modeling.backbones import as_sequence


def build(name, depth="", **keys):
    cfg = get_vreid_cfg()
    cfg.MODEL.BACKBONE.NAME, cfg.MODEL.BACKBONE.DEPTH = name, depth
    for key, value in keys.items():
        cfg.MODEL.BACKBONE[key] = value
    return build_backbone(cfg)


BACKBONES = {
    "resnet": ("build_resnet_backbone", "18x", {}),
    "resnet-ibn-se": ("build_resnet_backbone", "50x", {"WITH_IBN": True, "WITH_SE": True}),
    "cbam": ("build_cbam_resnet_backbone", "18x", {}),
    "resnext": ("build_resnext_backbone", "50x", {}),
    "osnet": ("build_osnet_backbone", "x0_25", {}),
    "timm": ("build_timm_backbone", "", {"TIMM_MODEL": "test_efficientnet", "FEAT_DIM": 256}),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_its_parts_one_after_another_are_the_backbone(name):
    builder, depth, keys = BACKBONES[name]
    backbone = build(builder, depth, **keys).eval()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    parts = as_sequence(backbone)
    x = image = torch.rand(2, 3, 80, 64)
    with torch.no_grad():
        for part in parts.values():
            x = part(x)
        assert torch.equal(x, backbone(image))
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_names_are_those_of_the_modules():
    backbone = build("build_resnet_backbone", "18x")
    parts = as_sequence(backbone)
    stages = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert list(parts) == ["conv1", "bn1", "relu", "maxpool", *stages]
    assert all(backbone.get_submodule(name) is part for name, part in parts.items())


def test_modes_are_left_as_they_were():
    backbone = build("build_resnet_backbone", "18x").train()
    backbone.layer1.eval()
    modes = [module.training for module in backbone.modules()]
    as_sequence(backbone)
    assert [module.training for module in backbone.modules()] == modes


class Skips(nn.Module):
    """Adds its input to its output, which its parts alone do not show."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.second(self.first(x)) + x


@pytest.mark.parametrize(
    "make", [Skips, lambda: build("build_resnet_backbone", "50x", WITH_NL=True)], ids=["skip connection", "non-local"]
)
def test_exception_no_sequence(make):
    with pytest.raises(InputError, match="cannot be cut"):
        as_sequence(make())
