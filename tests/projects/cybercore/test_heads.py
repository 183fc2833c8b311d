import numpy as np
import pytest
import torch
from cybercore.heads import MultiHeadAttention
from fastreid.modeling.heads import build_heads

from vreid_common.errors import InputError


def plain(module: MultiHeadAttention, x: np.ndarray) -> np.ndarray:
    """Fig. 3, one image and one head at a time."""
    weights = {name: value.detach().double().numpy() for name, value in module.named_parameters()}

    def prelu(y, slope):
        return np.where(y >= 0, y, slope * y)

    rows = []
    for image in x.astype(np.float64):
        hidden = prelu(weights["gate.0.weight"] @ image + weights["gate.0.bias"], weights["gate.1.weight"])
        logits = weights["gate.2.weight"] @ hidden + weights["gate.2.bias"]
        shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        feature = prelu(weights["instance.0.weight"] @ image + weights["instance.0.bias"], weights["instance.1.weight"])
        for k, share in enumerate(shares):
            feature = feature + share * prelu(weights["weight"][k] @ image + weights["bias"][k], weights["slope"][k])
        rows.append(feature)
    return np.array(rows)


@pytest.fixture
def module() -> MultiHeadAttention:
    torch.manual_seed(0)
    module = MultiHeadAttention(12, 7, num_heads=5, gate_dim=4)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if name.endswith(("bias", "slope")) or value.numel() == 1:
                value.uniform_(-0.5, 0.5)  # each head has a bias and a slope of its own
    return module


@pytest.mark.parametrize("size", [1, 6])
def test_feature_equals_a_loop_over_heads(module, size):
    x = torch.randn(size, 12)
    np.testing.assert_allclose(module(x).detach(), plain(module, x.numpy()), atol=1e-5)
    assert torch.equal(module(x[..., None, None]), module(x)[..., None, None])


def test_gradcheck(module):
    module.double()
    torch.autograd.gradcheck(module, torch.randn(3, 12, dtype=torch.float64, requires_grad=True))


def test_feature_one_product_whatever_the_number_of_heads():
    with torch.profiler.profile() as profile:
        MultiHeadAttention(16, 16, num_heads=32, gate_dim=4)(torch.randn(4, 16))
    products = {
        event.key: event.count for event in profile.key_averages() if event.key in ("aten::addmm", "aten::mm", "aten::bmm")
    }
    assert sum(products.values()) == 5  # heads, instance, two of the gate, and the weighted sum


def test_smoke_under_autocast(module):
    with torch.autocast("cpu", torch.bfloat16):
        found = module(torch.randn(4, 12))
    found.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


@pytest.mark.parametrize(("dim", "expected"), [(16, 16), (0, 512)])
def test_feature_the_head_of_fastreid_around_it(make_cfg, dim, expected):
    head = build_heads(make_cfg("CYBERCORE.HEADS.DIM", dim))
    features = torch.rand(4, 512, 2, 2)
    outputs = head.train()(features, torch.tensor([0, 0, 1, 1]))
    assert outputs["features"].shape == (4, expected)
    assert outputs["cls_outputs"].shape == (4, 5)
    found = head.eval()(features)
    pooled = head.pool_layer.pool(features)
    torch.testing.assert_close(found, head.bottleneck(head.pool_layer.attention(pooled))[..., 0, 0])
    assert head.pool_layer.pool.p.requires_grad  # GeM's exponent is learnt
    assert not head.bottleneck[0].bias.requires_grad


@pytest.mark.parametrize(("key", "value"), [("NUM", 0), ("DIM", -1), ("GATE_DIM", 0)])
def test_exception_bad_sizes(make_cfg, key, value):
    with pytest.raises(InputError, match=rf"CYBERCORE\.HEADS\.{key} is {value}"):
        build_heads(make_cfg(f"CYBERCORE.HEADS.{key}", value))
