"""Sparse products against dense ones."""

import numpy as np
import pytest
import torch

from vreid_common.reranking.sparse import SparseRows, weighted_sums


@pytest.fixture
def matrix() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    dense = torch.randn(9, 7, generator=generator)
    dense[torch.rand(9, 7, generator=generator) < 0.6] = 0
    dense[[0, 4, 8]] = 0
    return dense


def test_product_with_a_dense_matrix(matrix):
    rows = SparseRows.from_coo(matrix.to_sparse())
    other = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    assert len(rows) == 9
    torch.testing.assert_close(rows @ other, matrix @ other)


@pytest.mark.parametrize(("start", "stop"), [(0, 9), (2, 5), (4, 5), (3, 3), (0, 1)])
def test_slice_and_transpose(matrix, start, stop):
    part = SparseRows.from_coo(matrix.to_sparse()).slice(start, stop)
    assert torch.equal(part.transposed(7), matrix[start:stop].T)
    torch.testing.assert_close(part @ torch.eye(7), matrix[start:stop])


def test_columns_of_a_product_do_not_depend_on_their_neighbours(matrix):
    rows = SparseRows.from_coo(matrix.to_sparse())
    other = torch.randn(7, 70, generator=torch.Generator().manual_seed(1))
    assert torch.equal((rows @ other)[:, 13:20], rows @ other[:, 13:20].contiguous())


def test_weighted_sums():
    generator = torch.Generator().manual_seed(0)
    table, weights = torch.randn(8, 5, generator=generator), torch.randn(6, 4, generator=generator)
    indices = torch.randint(8, (6, 4), generator=generator)
    expected = np.array(
        [sum(w * table[j] for w, j in zip(*pair, strict=True)).numpy() for pair in zip(weights, indices, strict=True)]
    )
    np.testing.assert_allclose(weighted_sums(table, indices, weights), expected, atol=1e-6)
    assert torch.equal(weighted_sums(table, indices[:, :0], weights[:, :0]), torch.zeros(6, 5))
    assert weighted_sums(table, indices[:0], weights[:0]).shape == (0, 5)
