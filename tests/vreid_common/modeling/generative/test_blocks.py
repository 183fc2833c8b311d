import pytest
import torch
from torch import nn

from vreid_common.modeling.generative import ResidualBlock, initialize_normal


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
def test_a_residual_block_adds_its_branch(padding_mode):
    block = ResidualBlock(4, padding_mode)
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(block(x), x + block.branch(x))
    assert [m.padding_mode for m in block.modules() if isinstance(m, nn.Conv2d)] == [padding_mode] * 2
    nn.init.zeros_(block.branch[3].weight)  # a constant, which instance normalisation takes away
    torch.testing.assert_close(block(x), x)


def test_initial_weights():
    network = nn.Sequential(nn.Conv2d(30, 30, 3), nn.ConvTranspose2d(30, 30, 3, bias=False), nn.BatchNorm2d(30))
    initialize_normal(network, std=0.1)
    for layer in network[:2]:
        assert layer.weight.std().item() == pytest.approx(0.1, rel=0.05)
        assert abs(layer.weight.mean().item()) < 0.01
    assert not network[0].bias.any()
    assert network[2].weight.eq(1).all()
