import pytest
import torch
from fastreid.modeling.backbones import build_backbone
from torch import nn
from wcvl.stages import find_stages, own_stages, stage_blocks

from vreid_common.errors import InputError

R50 = ("MODEL.BACKBONE.DEPTH", "50x", "MODEL.BACKBONE.FEAT_DIM", 2048)
FAMILIES = {
    "ResNet-18": (),
    "ResNet-50 with non-local blocks": (*R50, "MODEL.BACKBONE.WITH_NL", True),
    "ResNeXt-50": (*R50, "MODEL.BACKBONE.NAME", "build_resnext_backbone"),
    "ResNeSt-50": (*R50, "MODEL.BACKBONE.NAME", "build_resnest_backbone"),
    "RegNet": ("MODEL.BACKBONE.NAME", "build_regnet_backbone", "MODEL.BACKBONE.DEPTH", "400x"),
    "RepVGG": ("MODEL.BACKBONE.NAME", "build_repvgg_backbone", "MODEL.BACKBONE.DEPTH", "A0"),
    "OSNet": ("MODEL.BACKBONE.NAME", "build_osnet_backbone", "MODEL.BACKBONE.DEPTH", "x0_25"),
    "ShuffleNetV2": ("MODEL.BACKBONE.NAME", "build_shufflenetv2_backbone", "MODEL.BACKBONE.DEPTH", "0.5x"),
}


class Main(nn.Module):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone


@pytest.mark.parametrize("family", FAMILIES)
def test_feature_the_stages_after_a_tap_give_the_backbones_own_output(make_cfg, family):
    """From the input of any stage on, a stage's blocks in order compute what the backbone computes."""
    main = Main(build_backbone(make_cfg(*FAMILIES[family]))).eval()
    for module in main.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)  # a non-local block begins as the identity, with weight 0
    stages = find_stages(main)
    entered = {}
    for stage in stages:
        stage_blocks(main, stage)[0].register_forward_pre_hook(lambda _, args, stage=stage: entered.update({stage: args[0]}))
    with torch.no_grad():
        output = main.backbone(torch.rand(1, 3, 64, 64))
        for i, stage in enumerate(stages):
            blocks = [block for later in stages[i:] for block in stage_blocks(main, later)]
            x = entered[stage]
            for block in blocks:
                x = block(x)
            torch.testing.assert_close(x, output)


def test_feature_slices():
    main = Main(nn.Sequential(*(nn.ReLU() for _ in range(5))))
    inner = list(main.backbone)
    assert stage_blocks(main, "backbone[1:3] backbone.4") == [inner[1], inner[2], inner[4]]
    assert stage_blocks(main, "backbone[3:]") == inner[3:]
    assert stage_blocks(main, "backbone[:1]") == inner[:1]


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        ("backbone.layer9", "names 'backbone.layer9', which Main does not have"),
        ("backbone[0", r"names 'backbone\[0'"),
        ("backbone.0[0:1]", "is a ReLU, not a Sequential"),
        ("backbone[4:2]", "is empty"),
    ],
)
def test_exception_stage(stage, complaint):
    main = Main(nn.Sequential(*(nn.ReLU() for _ in range(5))))
    with pytest.raises(InputError, match=complaint):
        stage_blocks(main, stage)


def test_exception_unknown_layout():
    with pytest.raises(InputError, match=r"Linear has none of the known stage layouts .*ResNet.*WCVL\.MAIN\.STAGES"):
        find_stages(nn.Linear(1, 1))


def test_cardinality_own_stages():
    assert [own_stages(f"conv1-{i}") for i in (2, 3, 4, 5)] == [3, 2, 1, 0]
    with pytest.raises(InputError, match="conv1-6"):
        own_stages("conv1-6")
