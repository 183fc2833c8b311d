import pytest
import torch
from torch import nn
from wcvl.module import CrossViewModule, build_pool, copy_stages

from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline


def build(make_cfg, *overrides):
    torch.manual_seed(0)
    return VehicleBaseline(make_cfg(*overrides)).eval()


def test_feature_copy_has_mains_weights_and_the_twins_stride(make_cfg):
    main, twin = build(make_cfg), VehicleBaseline(make_cfg("MODEL.BACKBONE.LAST_STRIDE", 2))
    layers = copy_stages(main, twin, ("backbone.layer3", "backbone.layer4")).eval()
    sources = [*main.backbone.layer3, *main.backbone.layer4]
    for own, source in zip(layers, sources, strict=True):
        assert all(torch.equal(value, source.state_dict()[key]) for key, value in own.state_dict().items())
    shared = {p.data_ptr() for p in main.parameters()} & {p.data_ptr() for p in layers.parameters()}
    assert not shared
    x = torch.rand(1, 128, 8, 8)
    with torch.no_grad():
        assert main.backbone.layer4(main.backbone.layer3(x)).shape[2:] == (4, 4)
        assert layers(x).shape[2:] == (2, 2)


def test_feature_copy_with_the_same_stride_computes_the_same(make_cfg):
    main, twin = build(make_cfg), VehicleBaseline(make_cfg())
    layers = copy_stages(main, twin, ("backbone.layer4",)).eval()
    x = torch.rand(2, 256, 4, 4)
    with torch.no_grad():
        assert torch.equal(layers(x), main.backbone.layer4(x))


@pytest.mark.parametrize("batch", [1, 3])
def test_cardinality(batch):
    own = CrossViewModule(nn.Conv2d(4, 6, 1), build_pool("GlobalAvgPool"), 6, 2, 9).eval()
    assert own(torch.rand(batch, 4, 1, 1), torch.rand(batch, 9)).shape == (batch, 9)
    shared = CrossViewModule(None, build_pool("GlobalAvgPool"), 9, 2, 9)
    assert shared(None, torch.rand(batch, 9)).shape == (batch, 9)


def test_feature_two_layers_with_a_relu_between():
    module = CrossViewModule(None, build_pool("GlobalAvgPool"), 3, 2, 3)
    first, _, last = module.mlp
    x = torch.randn(4, 3)
    expected = (x @ first.weight.T + first.bias).clamp(min=0) @ last.weight.T + last.bias
    torch.testing.assert_close(module(None, x), expected)


def test_exception_pool():
    with pytest.raises(InputError, match=r"POOL_LAYER is 'Max'; .*GlobalMaxPool"):
        build_pool("Max")
