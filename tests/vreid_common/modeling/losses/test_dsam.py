import math

import numpy as np
import pytest
import torch

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.modeling import DSAMLoss, VehicleBaseline, angular_margin, distance_shrinking

BATCHES = {
    "4 identities x 4": [i // 4 for i in range(16)],
    "unequal counts": [0, 0, 0, 1, 1, 2, 2, 2, 2],
    "an image alone": [0, 0, 1, 2, 2, 3],
    "shuffled": [2, 0, 1, 0, 2, 1, 1],
    "every image alone": [0, 1, 2, 3],
    "one identity": [5, 5, 5],
    "one image": [3],
}


def loop_dsam(features, targets, margin, gamma):
    """Eq. 6-13, anchor by anchor and pair by pair, in float64."""
    x = np.asarray(features.detach().double())
    y = targets.tolist()

    def difference(i, j):  # Eq. 11
        lengths = math.sqrt(x[i] @ x[i]) * math.sqrt(x[j] @ x[j])
        return math.exp(2 - 2 * (x[i] @ x[j] / lengths if lengths else 0)) - 1

    terms = []
    for a in range(len(y)):
        positives = [z for z in range(len(y)) if y[z] == y[a]]  # Eq. 6, the anchor among them
        negatives = [z for z in range(len(y)) if y[z] != y[a]]
        pos = math.sqrt(sum(((x[a] - x[i]) ** 2).sum() for i in positives))  # Eq. 7
        farthest = max(0 if j == a else difference(a, j) for j in positives)
        neg = [max(0, margin - (difference(a, i) - farthest)) for i in negatives]  # Eq. 12
        terms.append((pos, sum(neg) / len(neg) if neg else 0))
    return sum(pos + gamma * neg for pos, neg in terms) / len(terms)  # Eq. 13


def loss_of(margin=0.9, gamma=0.8, scale=1.0):
    cfg = get_vreid_cfg()
    cfg.MODEL.LOSSES.DSAM.MARGIN, cfg.MODEL.LOSSES.DSAM.GAMMA, cfg.MODEL.LOSSES.DSAM.SCALE = margin, gamma, scale
    loss = DSAMLoss(cfg)
    return lambda features, targets: loss({"features": features}, torch.as_tensor(targets))


def test_feature_the_papers_values_are_the_defaults():
    loss = DSAMLoss(get_vreid_cfg())
    assert (loss.margin, loss.gamma, loss.scale) == (0.9, 0.8, 0.1)


@pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("margin", "gamma"), [(0.9, 0.8), (8.0, 2.0)])
def test_feature_matches_a_plain_loop(targets, dtype, margin, gamma):
    targets = torch.tensor(targets)
    features = torch.randn(len(targets), 12).to(dtype)
    found = loss_of(margin, gamma, scale=3.0)(features, targets)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert found.item() == pytest.approx(3 * loop_dsam(features, targets, margin, gamma), rel=1e-5)


@pytest.mark.parametrize("offset", [10.0, 1e4])
def test_feature_far_from_the_origin_in_float32(offset):
    """Where |x|² + |y|² - 2xy would have lost every digit of the distances."""
    targets = torch.arange(12) // 3
    features = torch.randn(12, 8) + offset
    found = distance_shrinking(features, targets).mean()
    assert found.item() == pytest.approx(loop_dsam(features, targets, 0, 0), rel=1e-5)


@pytest.mark.parametrize("size", [1e-8, 1e8, 1e18, 1e30])
def test_feature_huge_and_tiny_norms(size):
    targets = torch.arange(12) // 3
    features = (torch.randn(12, 8) * size).requires_grad_()
    loss = loss_of()(features, targets)
    loss.backward()
    assert loss.item() == pytest.approx(loop_dsam(features, targets, 0.9, 0.8), rel=1e-5)
    assert torch.isfinite(features.grad).all()


def test_feature_one_huge_image_among_others():
    features = torch.randn(6, 4)
    features[0] *= 1e25
    found = angular_margin(features, torch.tensor([0, 0, 1, 1, 2, 2]), 0.9)
    scaled = features.double()
    expected = angular_margin(scaled, torch.tensor([0, 0, 1, 1, 2, 2]), 0.9)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


def test_feature_duplicates_shrink_no_further():
    """All images of an identity equal: L_pos is exactly 0, and so is its gradient."""
    features = torch.randn(3, 16).repeat_interleave(5, dim=0).requires_grad_()
    targets = torch.arange(15) // 5
    shrinking = distance_shrinking(features, targets)
    shrinking.sum().backward()
    assert torch.equal(shrinking, torch.zeros(15))
    assert torch.equal(features.grad, torch.zeros(15, 16))


def test_feature_some_duplicates_have_the_gradient_of_the_loop():
    features = torch.randn(4, 3, dtype=torch.float64)
    features[1] = features[0]
    features.requires_grad_()
    targets = torch.tensor([0, 0, 0, 1])
    distance_shrinking(features, targets).sum().backward()
    by_pair = features.detach().clone().requires_grad_()
    sum(sum((by_pair[a] - by_pair[i]).square().sum() for i in range(3)).sqrt() for a in range(3)).backward()
    torch.testing.assert_close(features.grad, by_pair.grad)


@pytest.mark.parametrize("targets", [[0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 0, 0]])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_feature_a_collapsed_batch_has_finite_gradients(targets, value):
    features = torch.full((4, 5), value, requires_grad=True)
    loss = loss_of()(features, targets)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(features.grad).all()


def test_feature_autocast_changes_nothing():
    features, targets = torch.randn(12, 8), torch.arange(12) // 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss_of()(features, targets)
    assert torch.equal(found, loss_of()(features, targets))


def test_feature_non_contiguous_and_unchanged_input():
    features, targets = torch.randn(8, 12).T, torch.arange(12) // 3
    before = features.clone()
    torch.testing.assert_close(loss_of()(features, targets), loss_of()(features.contiguous(), targets))
    assert torch.equal(features, before)


def test_feature_the_order_of_the_batch_does_not_matter():
    features, targets = torch.randn(12, 8), torch.arange(12) // 3
    order = torch.randperm(12)
    torch.testing.assert_close(loss_of()(features[order], targets[order]), loss_of()(features, targets))


def test_feature_one_matrix_product():
    """That of the cosines, and one more for the gradient."""
    from torch.utils.flop_counter import FlopCounterMode

    features = torch.randn(32, 64, requires_grad=True)
    product = 2 * 32 * 32 * 64
    with FlopCounterMode(display=False) as counter:
        loss = loss_of()(features, torch.arange(32) // 4)
        assert counter.get_total_flops() == product
        loss.backward()
    assert counter.get_total_flops() == 2 * product


def test_feature_training_pulls_together_and_pushes_apart():
    torch.manual_seed(0)
    features = torch.randn(12, 8, requires_grad=True)
    targets = torch.arange(12) // 3
    before = loss_of()(features, targets).item()
    optimizer = torch.optim.SGD([features], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        loss = loss_of()(features, targets)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3 * before


@pytest.mark.parametrize("targets", [[0, 0, 1, 1, 2], [0, 0, 0, 1, 1]])
def test_gradcheck(targets):
    features = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss_of(margin=8.0)(x, targets), (features,))


def test_smoke_any_config_can_name_it():
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "18x", 512
    cfg.MODEL.HEADS.NUM_CLASSES = 3
    cfg.MODEL.LOSSES.NAME = ("DSAMLoss",)
    assert isinstance(VehicleBaseline(cfg).registered_losses["loss_dsam"], DSAMLoss)


@pytest.mark.parametrize("key", ["MARGIN", "GAMMA", "SCALE"])
def test_exception(key):
    cfg = get_vreid_cfg()
    cfg.MODEL.LOSSES.DSAM[key] = -0.5
    with pytest.raises(InputError, match=rf"MODEL\.LOSSES\.DSAM\.{key} is -0\.5"):
        DSAMLoss(cfg)
