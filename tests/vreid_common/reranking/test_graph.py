"""Neighbour graphs against their definitions, pair by pair."""

import numpy as np
import pytest
import torch

from vreid_common.reranking import graph
from vreid_common.reranking.graph import mutual_graph, order_by_neighborhood, self_and_neighbors


@pytest.mark.parametrize("k", [1, 3, 12, 1000])
def test_itself_is_first_and_then_the_nearest_others(plain, pair, k):
    features = pair[1]
    indices, cosines = self_and_neighbors(torch.from_numpy(features), k)
    expected = [[i, *others] for i, others in enumerate(plain.others(features, k - 1))]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(cosines[:, 0], 1)
    values = np.take_along_axis(plain.cosines(features, features), np.array(expected), axis=1)
    np.testing.assert_allclose(cosines[:, 1:], values[:, 1:], atol=2e-6)


def test_no_images():
    indices, cosines = self_and_neighbors(torch.zeros(0, 4), 3)
    assert len(indices) == len(cosines) == 0


@pytest.mark.parametrize("rows", [7, 2048])
@pytest.mark.parametrize(("size", "k"), [(30, 4), (30, 29), (2, 1), (1, 0)])
def test_mutual_graph(size, k, rows, monkeypatch):
    monkeypatch.setattr(graph, "_BLOCK_ROWS", rows)
    rng = np.random.default_rng(0)
    neighbors = np.array([rng.choice([j for j in range(size) if j != i], k, replace=False) for i in range(size)])
    symmetric = rng.uniform(size=(size, size)).astype(np.float32)
    symmetric = np.minimum(symmetric, symmetric.T)
    symmetric[symmetric < 0.1] = 0
    neighbors = neighbors.reshape(size, k).astype(np.int64)
    weights = np.take_along_axis(symmetric, neighbors, axis=1)

    expected = np.zeros((size, size), np.float32)
    for i in range(size):
        for j in neighbors[i]:
            if i in neighbors[j]:
                expected[i, j] = symmetric[i, j]
    matrix, sums = mutual_graph(torch.from_numpy(neighbors), torch.from_numpy(weights))
    found = (matrix @ torch.eye(size)).numpy()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(sums, expected.sum(axis=1), atol=1e-5)
    assert (matrix.values > 0).all()


def test_order_by_neighborhood_brings_groups_together():
    group = torch.randint(6, (60,), generator=torch.Generator().manual_seed(0))
    others = [[j for j in range(60) if group[j] == group[i] and j != i][:4] for i in range(60)]
    order = order_by_neighborhood(torch.tensor(others))
    assert sorted(order.tolist()) == list(range(60))
    assert int((group[order].diff() != 0).sum()) == 5
    assert order_by_neighborhood(torch.zeros(3, 0, dtype=torch.int64)).tolist() == [0, 1, 2]
