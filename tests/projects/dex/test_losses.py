"""Each loss against a plain loop written from its equation."""

import math

import numpy as np
import pytest
import torch
from dex import BatchHardTripletLoss, SmoothedCrossEntropyLoss

from vreid_common.errors import InputError

BATCHES = {
    "equal": [0, 0, 1, 1, 2, 2],
    "unequal": [0, 0, 0, 0, 1, 1, 2],
    "one identity": [0, 0, 0],
    "one image an identity": [0, 1, 2],
    "one image": [0],
}


def eq_1_2(logits, targets, epsilon):
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        classes = len(row)
        log_sum = math.log(sum(math.exp(x) for x in row))
        for place, logit in enumerate(row):
            t = 1 - (classes - 1) / classes * epsilon if place == target else epsilon / classes
            total -= t * (logit - log_sum)
    return total / len(targets)


def eq_3(features, targets, margin):
    losses = []
    for a, anchor in enumerate(features):
        distances = [math.dist(anchor, other) for other in features]
        positives = [distances[p] for p in range(len(targets)) if targets[p] == targets[a] and p != a]
        negatives = [distances[n] for n in range(len(targets)) if targets[n] != targets[a]]
        if positives and negatives:
            losses.append(max(max(positives) - min(negatives) + margin, 0))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_cross_entropy_is_equations_1_and_2(make_cfg, targets, epsilon):
    loss = SmoothedCrossEntropyLoss(make_cfg("MODEL.LOSSES.CE.EPSILON", epsilon, "MODEL.LOSSES.CE.SCALE", 2.0))
    torch.manual_seed(0)
    logits = torch.randn(len(targets), 4, dtype=torch.float64)
    found = loss({"cls_outputs": logits}, torch.tensor(targets))
    assert found.item() == pytest.approx(2 * eq_1_2(logits.tolist(), targets, epsilon))


@pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_triplet_is_equation_3_with_batch_hard_mining(make_cfg, targets, margin):
    loss = BatchHardTripletLoss(make_cfg("MODEL.LOSSES.TRI.MARGIN", margin, "MODEL.LOSSES.TRI.SCALE", 0.5))
    torch.manual_seed(0)
    features = torch.randn(len(targets), 3, dtype=torch.float64, requires_grad=True)
    found = loss({"features": features}, torch.tensor(targets))
    assert found.item() == pytest.approx(0.5 * eq_3(features.tolist(), targets, margin))
    found.backward()
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_duplicates_and_half_precision_have_finite_gradients(make_cfg, dtype):
    features = torch.ones(6, 3, dtype=dtype).t().contiguous().t().requires_grad_()  # non-contiguous
    loss = BatchHardTripletLoss(make_cfg())({"features": features}, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert loss.item() == pytest.approx(0.3)
    loss.backward()
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_gradcheck(make_cfg):
    targets = torch.tensor([0, 0, 1, 1])
    torch.manual_seed(0)
    features = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    triplet, entropy = BatchHardTripletLoss(make_cfg("MODEL.LOSSES.TRI.MARGIN", 9.0)), SmoothedCrossEntropyLoss(make_cfg())
    assert torch.autograd.gradcheck(lambda x: triplet({"features": x}, targets), features)
    assert torch.autograd.gradcheck(lambda x: entropy({"cls_outputs": x}, targets), features)


def test_smoothing_differs_from_fastreids(make_cfg):
    """FastReID gives the other classes ε/(K-1): the paper's Eq. 2 has ε/K."""
    from fastreid.modeling.losses import cross_entropy_loss

    logits, targets = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    ours = SmoothedCrossEntropyLoss(make_cfg("MODEL.LOSSES.CE.EPSILON", 0.1))({"cls_outputs": logits}, targets)
    np.testing.assert_allclose(ours.item(), eq_1_2(logits.tolist(), [0], 0.1), rtol=1e-6)
    assert abs(ours.item() - cross_entropy_loss(logits, targets, 0.1).item()) > 0.01


def test_exception_smoothing_outside_of_its_range(make_cfg):
    with pytest.raises(InputError, match="EPSILON is 1.5"):
        SmoothedCrossEntropyLoss(make_cfg("MODEL.LOSSES.CE.EPSILON", 1.5))
