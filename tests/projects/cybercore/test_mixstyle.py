import itertools

import numpy as np
import pytest
import torch
from cybercore.mixstyle import MixStyle, cross_domain_partners, insert_mixstyle
from fastreid.modeling.backbones import build_backbone
from torch import nn

from vreid_common.errors import InputError


def plain(x, partners, shares):
    """Eq. 1-3, one image and channel at a time."""
    mixed = np.empty_like(x, np.float64)
    for i, j in enumerate(partners):
        for c in range(x.shape[1]):
            own, other = x[i, c].astype(np.float64), x[j, c].astype(np.float64)
            mean = shares[i] * own.mean() + (1 - shares[i]) * other.mean()
            own_deviation, other_deviation = np.sqrt(own.var() + 1e-6), np.sqrt(other.var() + 1e-6)
            deviation = shares[i] * own_deviation + (1 - shares[i]) * other_deviation
            mixed[i, c] = deviation * (own - own.mean()) / own_deviation + mean
    return mixed


@pytest.fixture
def fixed(monkeypatch):
    """Draws that are known: λ and the partners of six images."""
    shares, partners = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0, 0.3]), torch.tensor([3, 5, 0, 1, 2, 4])
    monkeypatch.setattr(MixStyle, "_shares", lambda *_: shares.view(-1, 1, 1, 1))
    monkeypatch.setattr(MixStyle, "_partners", lambda *_: partners)
    return partners.tolist(), shares.tolist()


@pytest.mark.parametrize("scale", [1.0, 0.0, 1e3])
def test_feature_equations_1_to_3(fixed, scale):
    x = scale * torch.randn(6, 3, 5, 4, generator=torch.Generator().manual_seed(0)) + 2
    found = MixStyle(probability=1.0)(x.transpose(2, 3))
    expected = plain(x.transpose(2, 3).numpy(), *fixed)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_gradcheck_statistics_are_constants(fixed):
    x = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    mixed = MixStyle(probability=1.0)(x)
    (gradient,) = torch.autograd.grad(mixed.sum(), x)
    deviation = (x.var(dim=(2, 3), correction=0, keepdim=True) + 1e-6).sqrt().detach()
    shares = torch.tensor(fixed[1]).view(-1, 1, 1, 1)
    expected = (shares * deviation + (1 - shares) * deviation[fixed[0]]) / deviation
    torch.testing.assert_close(gradient, expected.expand_as(gradient))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_feature_half_precision_is_computed_in_float32(fixed, dtype):
    x = (torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 5).to(dtype)
    layer = MixStyle(probability=1.0)
    assert layer(x).dtype == dtype
    torch.testing.assert_close(layer(x), layer(x.float()).to(dtype), atol=0, rtol=0)


def test_feature_off_in_evaluation_and_drawn_by_batch():
    x = torch.randn(4, 2, 3, 3)
    layer = MixStyle(probability=0.5)
    torch.manual_seed(0)
    mixed = sum(layer(x) is not x for _ in range(400))
    assert 150 < mixed < 250
    assert layer.eval()(x) is x
    assert MixStyle(probability=0.0)(x) is x


def test_feature_shares_are_beta_variates_of_each_image():
    torch.manual_seed(0)
    shares = MixStyle(alpha=0.1)._shares(20000, torch.device("cpu")).flatten()
    assert shares.isfinite().all()
    # Beta(α, α) has mean 1/2 and variance 1 / (4 (2 α + 1)).
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(shares.var()) == pytest.approx(1 / 4.8, abs=0.01)


@pytest.mark.parametrize("synthetic", [[0, 1] * 4, [0, 0, 0, 0, 0, 1, 1], [1, 1, 1, 0], [0, 1], [-1, 1, -1, 1, 0]])
def test_feature_partners_are_of_the_other_domain(synthetic):
    domains = torch.tensor(synthetic)
    seen = set()
    for seed in range(60):
        torch.manual_seed(seed)
        partners = cross_domain_partners(domains)
        assert ((domains[partners] == 1) != (domains == 1)).all()
        counts = torch.bincount(partners, minlength=len(domains))
        for domain in (0, 1):
            of_domain = counts[(domains == 1) == bool(domain)]
            assert of_domain.max() - of_domain.min() <= 1
        seen.add(tuple(partners.tolist()))
    assert len(seen) > 1 or len(synthetic) == 2


@pytest.mark.parametrize("domain", [0, 1, -1])
def test_feature_one_domain_alone_is_a_permutation(domain):
    for size in (1, 2, 9):
        assert cross_domain_partners(torch.full((size,), domain)).sort().values.tolist() == list(range(size))


@pytest.mark.parametrize("partner", ["random", "crossdomain"])
def test_feature_without_domains_any_image(partner):
    layer = MixStyle(partner=partner)
    assert layer._partners(7, torch.device("cpu")).sort().values.tolist() == list(range(7))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0,), "ALPHA is 0.0"),
        ((0.1, 1.5), "PROB is 1.5"),
        ((0.1, 0.5, "cross"), "PARTNER is 'cross': use crossdomain or random"),
    ],
)
def test_exception_bad_values(arguments, message):
    with pytest.raises(InputError, match=message):
        MixStyle(*arguments)


BACKBONES = [
    ("build_resnet_backbone", "18x", False, ("layer1", "layer2")),
    ("build_resnet_backbone", "50x", True, ("layer1", "layer2", "layer3")),
    ("build_resnext_backbone", "50x", False, ("layer1", "layer2")),
    ("build_resnext_backbone", "50x", True, ("layer2",)),
    ("build_resnest_backbone", "50x", False, ("layer1", "layer2")),
    ("build_cbam_resnet_backbone", "50x", False, ("layer1", "layer2")),
    ("build_regnet_backbone", "400x", False, ("s1", "s2")),
    ("build_effnet_backbone", "b0", False, ("s1", "s2")),
    ("build_repvgg_backbone", "A0", False, ("stage1", "stage2")),
    ("build_osnet_backbone", "x0_25", False, ("conv2", "conv3")),
]


@pytest.mark.parametrize(("name", "depth", "non_local", "after"), BACKBONES)
def test_feature_comes_after_the_stages_of_fastreid_s_backbones(make_cfg, name, depth, non_local, after):
    """In evaluation the network is what it was."""
    cfg = make_cfg("MODEL.BACKBONE.NAME", name, "MODEL.BACKBONE.DEPTH", depth, "MODEL.BACKBONE.WITH_NL", non_local)
    backbone = build_backbone(cfg)
    weights, images = list(backbone.state_dict()), torch.randn(2, 3, 64, 64)
    expected = backbone.eval()(images)
    layers = insert_mixstyle(backbone, after, 0.1, 1.0, "random")
    assert list(backbone.state_dict()) == weights
    assert torch.equal(backbone.eval()(images), expected)
    met = []
    for layer in layers:
        layer.register_forward_hook(lambda module, given, _: met.append((layers.index(module), given[0].shape[1])))
    backbone.train()(images)
    assert [place for place, _ in met] == list(range(len(after)))
    assert all(first < second for (_, first), (_, second) in itertools.pairwise(met))


def test_exception_a_stage_that_is_not_there():
    backbone = nn.Sequential()
    backbone.add_module("stem", nn.Conv2d(3, 8, 3))
    backbone.add_module("layer1", nn.Sequential(nn.Conv2d(8, 8, 3)))
    for name in ("layer9", "stem"):
        with pytest.raises(InputError, match=f"names '{name}', but the stages of the backbone are layer1"):
            insert_mixstyle(backbone, [name], 0.1, 0.5, "random")


@pytest.mark.parametrize("after", [(), ("layer1", "layer2", "layer1")])
def test_exception_no_stage_or_one_twice(after):
    with pytest.raises(InputError, match=r"AFTER is \[.*\]: name at least one stage of the backbone, each once"):
        insert_mixstyle(nn.Sequential(), after, 0.1, 0.5, "random")
