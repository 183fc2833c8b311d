"""Ring loss against a loop written from the formula."""

import math

import pytest
import torch
from template import add_template_config
from template.losses import RingLoss, ring_loss

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError


def plain(features: list[list[float]], radius: float) -> float:
    norms = [math.sqrt(sum(x * x for x in feature)) for feature in features]
    return sum((norm - radius) ** 2 for norm in norms) / (2 * len(norms))


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (16, 64)])
def test_accuracy_loop(shape):
    features = 10 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    radius = torch.tensor(3.0)
    assert ring_loss(features, radius).item() == pytest.approx(plain(features.tolist(), 3.0), rel=1e-5)


def test_gradient_of_zero_vectors_is_finite():
    features = torch.zeros(4, 8, requires_grad=True)
    ring_loss(features, torch.tensor(1.0)).backward()
    assert torch.isfinite(features.grad).all()


def test_feature_the_radius_is_learned_and_the_loss_weighed():
    cfg = add_template_config(get_vreid_cfg())
    loss = RingLoss(cfg)
    features = torch.ones(2, 4)  # of norm 2
    value = loss({"features": features}, torch.tensor([0, 1]))
    assert value.item() == pytest.approx(cfg.TEMPLATE.SCALE * (2 - cfg.TEMPLATE.RADIUS) ** 2 / 2)
    value.backward()
    assert loss.radius.grad.item() == pytest.approx(cfg.TEMPLATE.SCALE * (cfg.TEMPLATE.RADIUS - 2))


def test_exception_radius():
    cfg = add_template_config(get_vreid_cfg())
    cfg.TEMPLATE.RADIUS = 0.0
    with pytest.raises(InputError, match=r"TEMPLATE\.RADIUS is 0\.0"):
        RingLoss(cfg)
