"""CBAM in FastReID's ResNet, against the formulas of its paper."""

import pytest
import torch
from fastreid.modeling.backbones import build_backbone
from timm.layers.cbam import CbamModule

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError


def build(depth="18x", dim=512, **keys):
    cfg = get_vreid_cfg()
    cfg.MODEL.BACKBONE.NAME = "build_cbam_resnet_backbone"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = depth, dim
    for key, value in keys.items():
        cfg.MODEL.BACKBONE[key] = value
    torch.manual_seed(0)
    return build_backbone(cfg).eval()


@pytest.mark.parametrize(("depth", "blocks", "widest"), [("18x", 8, 512), ("50x", 16, 2048)])
@pytest.mark.parametrize("ibn", [False, True])
def test_every_block_has_cbam_of_its_width(depth, blocks, widest, ibn):
    backbone = build(depth, widest, WITH_IBN=ibn)
    found = [module for module in backbone.modules() if isinstance(module, CbamModule)]
    assert len(found) == blocks
    assert max(module.channel.fc2.out_channels for module in found) == widest
    assert found[-1].channel.fc1.out_channels == widest // 16
    with torch.no_grad():
        assert backbone(torch.rand(2, 3, 64, 64)).shape == (2, widest, 4, 4)


def test_a_block_attends_to_channels_then_to_places_before_the_sum():
    block = build().layer1[0]
    x = torch.rand(2, 64, 6, 5)
    with torch.no_grad():
        f = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
        fc1, fc2 = (layer.weight[:, :, 0, 0] for layer in (block.se.channel.fc1, block.se.channel.fc2))
        average, largest = f.mean((2, 3)), f.flatten(2).max(2).values
        weight = torch.sigmoid(torch.relu(average @ fc1.T) @ fc2.T + torch.relu(largest @ fc1.T) @ fc2.T)
        f = f * weight[:, :, None, None]
        planes = torch.stack([f.mean(1), f.max(1).values], dim=1)
        convolution = block.se.spatial.conv
        f = f * torch.sigmoid(convolution.bn(torch.conv2d(planes, convolution.conv.weight, padding=3)))
        torch.testing.assert_close(block(x), torch.relu(f + x))


def test_exception_squeeze_and_excitation():
    with pytest.raises(InputError, match="WITH_SE is set"):
        build(WITH_SE=True)
