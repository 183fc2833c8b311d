"""Weighted sums of unit features, and lengths at the ends of float32."""

import numpy as np
import pytest
import torch

from vreid_common.reranking import expansion
from vreid_common.reranking.expansion import cosine_weights, inverse_norms, normalize_, sum_of_neighbors


@pytest.mark.parametrize("with_query", [False, True])
@pytest.mark.parametrize("rows", [4, 512])
def test_sum_of_neighbors(plain, with_query, rows, monkeypatch):
    monkeypatch.setattr(expansion, "_BLOCK_ROWS", rows)
    generator = torch.Generator().manual_seed(0)
    gallery, query = 5 * torch.randn(30, 6, generator=generator), 5 * torch.randn(19, 6, generator=generator)
    indices, weights = torch.randint(30, (19, 4), generator=generator), torch.rand(19, 4, generator=generator)
    gallery[3] = 0
    unit = plain.unit(gallery.numpy())
    expected = plain.unit(query.numpy()) if with_query else np.zeros((19, 6))
    for i in range(19):
        for j, weight in zip(indices[i], weights[i], strict=True):
            expected[i] += float(weight) * unit[j]
    found = sum_of_neighbors(gallery, indices, weights, query if with_query else None)
    np.testing.assert_allclose(found, plain.unit(expected), atol=1e-6)


def test_lengths():
    features = torch.tensor([[3.0, 4.0], [0.0, 0.0], [3e30, 4e30], [3e-9, 4e-9], [3e38, 3e38]])
    expected = torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.6, 0.8], [0.6, 0.8], [0.5**0.5, 0.5**0.5]])
    torch.testing.assert_close(features * inverse_norms(features)[:, None], expected)
    torch.testing.assert_close(normalize_(features), expected)


@pytest.mark.parametrize("num_pairs", [1, 3, 40])
def test_vectors_that_cancel_each_other_leave_zero(num_pairs):
    """Of different lengths, so that their unit vectors are opposite but for rounding, and weighted alike."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        half = torch.randn(num_pairs, 64, generator=generator)
        gallery = torch.cat((half, -half * (0.1 + 10 * torch.rand(num_pairs, 1, generator=generator))))
        indices, weights = torch.randperm(2 * num_pairs, generator=generator)[None], torch.rand(num_pairs, generator=generator)
        found = sum_of_neighbors(gallery, indices, weights.repeat(2)[indices])
        assert not found.any()
        alone = sum_of_neighbors(gallery, indices[:, 1:], weights.repeat(2)[indices[:, 1:]])
        assert alone.norm() == pytest.approx(1, abs=1e-6)


def test_short_sums_keep_their_direction():
    gallery = torch.tensor([[1.0, 1e-5], [-1.0, 0.0]])
    found = sum_of_neighbors(gallery, torch.tensor([[0, 1]]), torch.ones(1, 2))
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0]]), atol=1e-3, rtol=0)


def test_weights():
    cosines = torch.tensor([1.0, 0.5, 0.0, -0.5])
    assert cosine_weights(cosines, 2).tolist() == [1.0, 0.25, 0.0, 0.0]
    assert cosine_weights(cosines, 0).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert cosines.tolist() == [1.0, 0.5, 0.0, -0.5]
