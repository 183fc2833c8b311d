import pytest
import torch

from vreid_common.modeling import paired_euclidean, pairwise_euclidean


def loop_distance(x, y):
    """The definition, one number at a time, in float64."""
    x, y = x.double().tolist(), y.double().tolist()
    rows = [[sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) ** 0.5 for q in y] for p in x]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (5, 3, 7), (4, 0, 2)])
def test_feature_matches_a_plain_loop(dtype, n, m, d):
    x, y = torch.randn(n, d, dtype=dtype), torch.randn(m, d, dtype=dtype)
    distance = pairwise_euclidean(x, y)
    assert distance.shape == (n, m)
    assert distance.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(distance.double(), loop_distance(x, y).reshape(n, m), rtol=1e-6, atol=1e-6)


def test_feature_near_duplicates_do_not_cancel():
    x = torch.full((1, 512), 100.0)
    y = x.clone()
    y[0, 0] += 0.01
    assert pairwise_euclidean(x, y).item() == pytest.approx(y[0, 0].item() - 100.0, rel=1e-6)


def test_feature_autocast_does_not_lower_the_precision():
    x = torch.randn(6, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        distance, pairs = pairwise_euclidean(x), paired_euclidean(x, x.flip(0))
    assert torch.equal(distance, pairwise_euclidean(x))
    assert torch.equal(pairs, paired_euclidean(x, x.flip(0)))


def test_feature_non_contiguous_input():
    x = torch.randn(7, 10).T
    assert torch.equal(pairwise_euclidean(x), pairwise_euclidean(x.contiguous()))


def test_cardinality_paired_is_the_diagonal():
    x, y = torch.randn(6, 5), torch.randn(6, 5)
    torch.testing.assert_close(paired_euclidean(x, y), pairwise_euclidean(x, y).diagonal())


def test_gradcheck():
    x, y = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(pairwise_euclidean, (x, y))
    assert torch.autograd.gradcheck(paired_euclidean, (x, y))


def test_gradient_of_duplicates_is_zero():
    x = torch.ones(3, 4, requires_grad=True)
    (pairwise_euclidean(x).sum() + paired_euclidean(x, x.detach()).sum()).backward()
    assert torch.equal(x.grad, torch.zeros(3, 4))
