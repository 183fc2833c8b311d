import math

import pytest
import torch
from fastreid.layers.any_softmax import ArcSoftmax, CosSoftmax
from torch.nn.functional import cross_entropy, normalize

from vreid_common.errors import InputError
from vreid_common.modeling import CombinedMargin, margin_cosine

FAMILY = {
    "normalised": (1.0, 0.0, 0.0),
    "SphereFace": (4.0, 0.0, 0.0),
    "ArcFace": (1.0, 0.5, 0.0),
    "CosFace": (1.0, 0.0, -0.35),
}
FAMILY |= {"all three": (1.5, 0.3, -0.2)}


def loop_logits(features, weight, targets, scale, m1, m2, m3):
    """Eq. 4-5, entry by entry, in float64."""
    rows = []
    for x, target in zip(features.double().tolist(), targets.tolist(), strict=True):
        row = []
        for label, w in enumerate(weight.double().tolist()):
            dot = sum(a * b for a, b in zip(x, w, strict=True))
            cosine = dot / math.sqrt(sum(a * a for a in x)) / math.sqrt(sum(b * b for b in w))
            if label == target:
                phi = m1 * math.acos(max(-1.0, min(1.0, cosine))) + m2
                k = math.floor(phi / math.pi)
                cosine = (-1) ** k * math.cos(phi) - 2 * k + m3
            row.append(scale * cosine)
        rows.append(row)
    return torch.tensor(rows)


@pytest.mark.parametrize("margins", FAMILY.values(), ids=FAMILY)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_feature_matches_a_plain_loop(margins, dtype):
    features, weight = torch.randn(6, 5).to(dtype), torch.randn(4, 5).to(dtype)
    targets = torch.tensor([0, 1, 2, 3, 3, 0])
    learnt, plain = CombinedMargin(64.0, *margins)(features, weight, targets)
    torch.testing.assert_close(learnt.float(), loop_logits(features, weight, targets, 64, *margins), atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(plain.float(), loop_logits(features, weight, targets, 64, 1, 0, 0), atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize(("theirs", "margins"), [(ArcSoftmax, (1.0, 0.5, 0.0)), (CosSoftmax, (1.0, 0.0, -0.5))])
def test_feature_is_fastreids_where_that_is_right(theirs, margins):
    features, targets = torch.randn(8, 6), torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    weight = torch.randn(4, 6)
    weight[targets] += 2 * features  # no angle of a target is beyond pi - m
    cosine = normalize(features) @ normalize(weight).T
    expected = theirs(4, 30, 0.5)(cosine, targets)
    torch.testing.assert_close(CombinedMargin(30, *margins)(features, weight, targets)[0], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("margins", [*FAMILY.values(), (4.0, 0.5, 0.0), (1.0, -0.5, 0.0)])
def test_feature_falls_with_the_angle_without_a_step(margins):
    """Beyond pi as well, where the bare cosine would rise again."""
    angle = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    steps = margin_cosine(angle, *margins).diff()
    assert (steps <= 1e-12).all()
    assert steps.min() > -1.01 * margins[0] * math.pi / 20000


@pytest.mark.parametrize("margins", FAMILY.values(), ids=FAMILY)
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_feature_gradients_are_finite_at_cosine_1(margins, cosine):
    """A feature that points exactly to its class, or away from it."""
    features = torch.randn(3, 4, requires_grad=True)
    weight = (cosine * 2 * features.detach()).clone().requires_grad_()
    targets = torch.arange(3)
    cross_entropy(CombinedMargin(64.0, *margins)(features, weight, targets)[0], targets).backward()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(weight.grad).all()


def test_feature_fastreids_arcface_has_none_there():
    """What this layer is there for."""
    features = torch.tensor([[1.0, 0.0]], requires_grad=True)
    targets = torch.tensor([0])
    logits = normalize(features) @ torch.eye(2).T
    cross_entropy(ArcSoftmax(2, 64, 0.5)(logits.clone(), targets), targets).backward()
    assert not torch.isfinite(features.grad).all()


@pytest.mark.parametrize("angle", [1e-6, 1e-4, 1e-2])
def test_feature_gradient_near_the_class_is_that_of_the_angle(angle):
    """-s m1 sin(m1 θ + m2) times a vector of length 1, however near."""
    features = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64).float().requires_grad_()
    CombinedMargin(64.0, 1.0, 0.5)(features, torch.eye(2), torch.tensor([0]))[0][0, 0].backward()
    assert features.grad.norm().item() == pytest.approx(64 * math.sin(angle + 0.5), rel=1e-4)


def test_feature_zero_features_and_weights():
    features, weight = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    targets = torch.tensor([0, 1])
    loss = cross_entropy(CombinedMargin(64.0, 1.0, 0.5)(features, weight, targets)[0], targets)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(weight.grad).all()


def test_feature_autocast_changes_nothing():
    features, weight, targets = torch.randn(4, 6), torch.randn(3, 6), torch.tensor([0, 1, 2, 0])
    layer = CombinedMargin(64.0, 1.0, 0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(features, weight, targets)
    for ours, expected in zip(found, layer(features, weight, targets), strict=True):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("margins", FAMILY.values(), ids=FAMILY)
def test_gradcheck(margins):
    features, weight = (torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for n in (3, 2))
    targets = torch.tensor([0, 1, 1])
    assert torch.autograd.gradcheck(lambda x, w: CombinedMargin(2.0, *margins)(x, w, targets), (features, weight))


@pytest.mark.parametrize(("arguments", "key"), [((0.0,), "SCALE"), ((-1.0,), "SCALE"), ((1.0, 0.0), "M1")])
def test_exception(arguments, key):
    with pytest.raises(InputError, match=rf"{key} is -?[01]\.0"):
        CombinedMargin(*arguments)
