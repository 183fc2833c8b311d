"""The directly angular variant, and the exploding gradient for which the paper leaves it (Eq. 8-10)."""

import math

import pytest
import torch
from dsam import AngularDSAMLoss
from dsam.losses import angular_shrinking

from vreid_common.modeling import VehicleBaseline, angular_margin, distance_shrinking

BATCHES = {"4 x 3": [i // 3 for i in range(12)], "unequal": [0, 0, 0, 1, 2, 2], "alone": [0, 1, 2], "shuffled": [1, 0, 1, 0]}


def loop_angular(features, targets):
    """Eq. 9, pair by pair, in float64."""
    rows, targets = features.double().tolist(), targets.tolist()

    def angle(x, y):
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        return math.acos(max(-1.0, min(1.0, dot / math.dist(x, [0] * len(x)) / math.dist(y, [0] * len(y)))))

    return [sum(angle(x, y) for j, y in enumerate(rows) if targets[j] == targets[i] and j != i) for i, x in enumerate(rows)]


@pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_feature_matches_a_plain_loop(targets, dtype):
    targets = torch.tensor(targets)
    features = torch.randn(len(targets), 6).to(dtype)
    expected = torch.tensor(loop_angular(features, targets), dtype=torch.float64)
    torch.testing.assert_close(angular_shrinking(features, targets).double(), expected, atol=1e-5, rtol=1e-5)


def test_feature_replaces_eq_7_alone(make_cfg):
    features, targets = torch.randn(12, 6), torch.arange(12) // 3
    found = AngularDSAMLoss(make_cfg())({"features": features}, targets)
    expected = 0.1 * (angular_shrinking(features, targets) + 0.8 * angular_margin(features, targets, 0.9)).mean()
    torch.testing.assert_close(found, expected)


def unit_pair(angle):
    return torch.tensor([[1.0, 0.0], [math.cos(angle), math.sin(angle)]], dtype=torch.float64)


@pytest.mark.parametrize("angle", [1e-1, 1e-2, 1e-3])
def test_feature_eq_10_explodes_as_positives_come_near(angle):
    """The derivative of Eq. 9 to the unit vector x_i is -x_a / sqrt(1 - cos²): 1 / sin θ long."""
    x_a, x_i = unit_pair(angle).requires_grad_()
    (gradient,) = torch.autograd.grad(torch.acos(x_a @ x_i), x_i)
    torch.testing.assert_close(gradient, -x_a / torch.sqrt(1 - (x_a @ x_i) ** 2))
    assert gradient.norm().item() == pytest.approx(1 / math.sin(angle))


def test_feature_eq_9_as_printed_has_no_gradient_for_duplicates_where_eq_7_has():
    features = torch.ones(2, 4, requires_grad=True)
    unit = torch.nn.functional.normalize(features)
    torch.acos((unit @ unit.T).clamp(max=1)).sum().backward()
    assert not torch.isfinite(features.grad).any()

    features = torch.ones(2, 4, requires_grad=True)
    distance_shrinking(features, torch.zeros(2)).sum().backward()
    assert torch.equal(features.grad, torch.zeros(2, 4))


def test_feature_rounding_alone_drives_the_gradient_where_positives_are_near():
    """In float32, at an angle of 5e-4, the cosine has only a few digits left of its distance to 1."""
    pair = unit_pair(5e-4)
    exact = pair.clone().requires_grad_()
    rounded = pair.float().requires_grad_()
    for features in (exact, rounded):
        angular_shrinking(features, torch.zeros(2)).sum().backward()
    error = (rounded.grad - exact.grad).norm() / exact.grad.norm()
    assert error > 0.01
    exact, rounded = pair.clone().requires_grad_(), pair.float().requires_grad_()
    for features in (exact, rounded):
        distance_shrinking(features, torch.zeros(2)).sum().backward()
    assert (rounded.grad - exact.grad).norm() / exact.grad.norm() < 1e-4


def test_feature_a_collapsed_batch_has_finite_gradients(make_cfg):
    features = torch.ones(4, 3, requires_grad=True)
    AngularDSAMLoss(make_cfg())({"features": features}, torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(features.grad).all()


def test_gradcheck():
    features = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: angular_shrinking(x, torch.tensor([0, 0, 0, 1, 1])), (features,))


def test_smoke_chosen_by_name(make_cfg, make_batch, events):
    model = VehicleBaseline(make_cfg("MODEL.LOSSES.NAME", ("CrossEntropyLoss", "AngularDSAMLoss")))
    assert set(model(make_batch())) == {"loss_cls", "loss_angular_dsam"}
