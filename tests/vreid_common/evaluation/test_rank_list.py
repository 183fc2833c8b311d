"""The rank list against Python's sort, with ties at and around the last place."""

import numpy as np
import pytest
import torch

from vreid_common.evaluation.rank_list import blocks_of_rows, rank_list
from vreid_common.structures import DenseRows, FeatureRows


def plain(matrix, top_k):
    return np.array([sorted(range(len(row)), key=lambda j: (row[j], j))[:top_k] for row in matrix.tolist()])


@pytest.mark.parametrize("top_k", [1, 2, 7, 30, 99])
@pytest.mark.parametrize("levels", [1, 2, 5, 10**4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_as_sorted(top_k, levels, dtype, monkeypatch):
    monkeypatch.setattr("vreid_common.evaluation.rank_list._BLOCK_BYTES", 500)
    matrix = np.random.default_rng(0).integers(-levels, levels, (13, 30)).astype(dtype)
    found = rank_list(DenseRows(matrix), top_k)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, plain(matrix, top_k))


def test_infinite_distances_rank_last():
    matrix = np.array([[np.inf, 1.0, -np.inf, np.inf]], np.float32)
    np.testing.assert_array_equal(rank_list(DenseRows(matrix), 3), [[2, 1, 0]])


def test_blocks_stay_small(monkeypatch):
    monkeypatch.setattr("vreid_common.evaluation.rank_list._BLOCK_BYTES", 4000)
    rows = FeatureRows(torch.randn(50, 4), torch.randn(100, 4))
    assert [len(block) for _, block in blocks_of_rows(rows)] == [10] * 5


def test_no_rank():
    with pytest.raises(ValueError, match="top_k is at least 1, got 0"):
        rank_list(DenseRows(np.zeros((1, 3))), 0)
