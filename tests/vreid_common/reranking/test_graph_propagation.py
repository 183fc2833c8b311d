"""Graph propagation against its definition with dense matrices in float64, built pair by pair."""

import numpy as np
import pytest
import torch

from vreid_common.reranking.graph_propagation import GraphPropagationRows, graph_propagation
from vreid_common.structures import DistanceRows


def propagated(plain, query, gallery, k1, k2, alpha, rounds):
    images = np.concatenate((query, gallery))
    cosines = plain.cosines(images, images)
    adjacency = np.eye(len(images))
    for i, others in enumerate(plain.others(images, k1)):
        adjacency[i, others] = 1
    features = (adjacency + adjacency.T) / 2
    nearest = plain.others(images, k2)
    for _ in range(rounds):
        spread = features.copy()
        for i, others in enumerate(nearest):
            for j in others:
                spread[i] += max(cosines[i, j], 0) ** alpha * features[j]
        features = np.array([row / np.linalg.norm(row) for row in spread])
    return np.array([[1 - (q * g).sum() for g in features[len(query) :]] for q in features[: len(query)]])


@pytest.mark.parametrize(("k1", "k2"), [(6, 3), (2, 5), (1, 1), (1000, 1000)])
@pytest.mark.parametrize(("alpha", "rounds"), [(2, 2), (0, 1), (1, 3)])
def test_distance(plain, pair, k1, k2, alpha, rounds):
    found = graph_propagation(*pair, k1, k2, alpha, rounds=rounds)
    assert (found >= 0).all()
    np.testing.assert_allclose(found, propagated(plain, *pair, k1, k2, alpha, rounds), atol=3e-6)


def test_rows():
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(70, 8, generator=generator), torch.randn(90, 8, generator=generator)
    rows = GraphPropagationRows(query, gallery, 6, 3)
    assert isinstance(rows, DistanceRows)
    assert rows.shape == (70, 90)
    expected = graph_propagation(query, gallery, 6, 3)
    apart = expected == 1
    assert apart.any()
    # What has nothing in common ranks by the cosine, behind the rest.
    cosine = torch.nn.functional.cosine_similarity(query[:, None], gallery[None], dim=2)
    expected[apart] = 2 - cosine[apart]
    torch.testing.assert_close(rows.rows(0, 70), expected)
    torch.testing.assert_close(rows.rows(3, 69), expected[3:69])


def test_arrays(keeps_array_contract):
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(30, 8)).astype(np.float32)
    keeps_array_contract(lambda query, gallery: graph_propagation(query, gallery, 4, 2), *arrays)


@pytest.mark.parametrize("sizes", [(0, 4), (3, 0), (0, 0)])
def test_nothing_to_do(sizes):
    assert graph_propagation(torch.ones(sizes[0], 2), torch.ones(sizes[1], 2)).shape == sizes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 0}, "k1 is at least 1"),
        ({"k2": 0}, "k2 is at least 1"),
        ({"alpha": -1}, "alpha is a finite number"),
        ({"rounds": 0}, "rounds is at least 1"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        graph_propagation(torch.ones(2, 3), torch.ones(4, 3), **options)
