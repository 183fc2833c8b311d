"""The constraints against loops written from the paper's formulas."""

import numpy as np
import pytest
import torch
from ealn import belt_loss, margin_loss, squared_distance


def eq_2(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))


def eq_4(generated, negative, beta1, beta2):
    return max(beta1 - generated, 0) + max(generated + beta2 - negative, 0)


def hinge(near, far, alpha):
    return max(near + alpha - far, 0)


AWKWARD = [0.0, 0.3, 0.6, 0.9, 1.3, 4.0]
"""Distances with ties, and exactly at the margins."""


@pytest.fixture
def pairs():
    random = np.random.default_rng(0).uniform(0, 4, (2, 50))
    grid = np.array(np.meshgrid(AWKWARD, AWKWARD)).reshape(2, -1)
    return np.concatenate([random, grid], axis=1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_eq_2_squared_distance(dtype):
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 9, 7, generator=random).to(dtype)
    x[0], y[1], x[2] = 0, 0, y[2]
    before = x.clone()
    found = squared_distance(x, y)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    expected = [eq_2(*rows) for rows in zip(x.tolist(), y.tolist(), strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert found[2] == 0
    assert torch.equal(x, before)


def test_eq_2_of_rows_that_are_not_contiguous_and_of_none():
    x, y = torch.randn(2, 5, 8)
    torch.testing.assert_close(squared_distance(x.T, y.T), squared_distance(x.T.contiguous(), y.T.contiguous()))
    assert squared_distance(x[:0], y[:0]).shape == (0,)


@pytest.mark.parametrize(("beta1", "beta2"), [(0.6, 0.3), (0.0, 0.0), (1.0, 2.0)])
def test_eq_4_belt(pairs, beta1, beta2):
    found = belt_loss(*torch.from_numpy(pairs), beta1, beta2)
    expected = [eq_4(generated, negative, beta1, beta2) for generated, negative in pairs.T]
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0.6, 0.0])
def test_eq_5_9_and_10_margin(pairs, alpha):
    found = margin_loss(*torch.from_numpy(pairs), alpha)
    assert found.tolist() == pytest.approx([hinge(near, far, alpha) for near, far in pairs.T])


def test_the_belt_holds_what_lies_in_it_and_pulls_the_rest_towards_it():
    generated = torch.tensor([0.2, 0.8, 1.5], requires_grad=True)
    loss = belt_loss(generated, torch.tensor([1.3, 1.3, 1.3]), 0.6, 0.3)
    loss.sum().backward()
    assert loss[1] == 0
    assert generated.grad.tolist() == [-1, 0, 1]  # a step against the gradient: farther, nothing, nearer


def test_gradcheck():
    x, y = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(squared_distance, (x.detach().requires_grad_(), y.detach().requires_grad_()))
    near, far = torch.rand(2, 6, dtype=torch.float64)
    near, far = near.requires_grad_(), far.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: belt_loss(a, b, 0.61, 0.33), (near, far))
