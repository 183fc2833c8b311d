"""Diffusion against its definition with dense matrices in float64, built pair by pair."""

from importlib import import_module

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import cg

from vreid_common.reranking.diffusion import DiffusionRows, diffusion
from vreid_common.structures import DistanceRows


def system(plain, query, gallery, k, kq, gamma):
    """S (G, G) and y (Q, G)."""
    size = len(gallery)
    cosines = plain.cosines(gallery, gallery)
    others = plain.others(gallery, k)
    affinity = np.zeros((size, size))
    for i in range(size):
        for j in others[i]:
            if i in others[j] and cosines[i, j] > 1e-9:
                affinity[i, j] = cosines[i, j] ** gamma
    degrees = affinity.sum(axis=1)
    transition = np.zeros_like(affinity)
    for i, j in zip(*np.nonzero(affinity), strict=True):
        transition[i, j] = affinity[i, j] / np.sqrt(degrees[i] * degrees[j])
    to_gallery = plain.cosines(query, gallery)
    start = np.zeros((len(query), size))
    for i in range(len(query)):
        for j in plain.ranked(to_gallery[i])[:kq]:
            if to_gallery[i, j] > 1e-9:
                start[i, j] = to_gallery[i, j] ** gamma
    return transition, start


@pytest.mark.parametrize(("k", "kq"), [(1, 1), (5, 3), (1000, 1000)])
@pytest.mark.parametrize(("alpha", "gamma", "iterations"), [(0.95, 3, 25), (0.5, 1, 1), (0, 3, 2), (0.9, 0, 5)])
def test_iteration(plain, pair, k, kq, alpha, gamma, iterations):
    transition, start = system(plain, *pair, k, kq, gamma)
    expected = np.zeros_like(start)
    for i, y in enumerate(start):
        f = y
        for _ in range(iterations):
            f = alpha * transition @ f + (1 - alpha) * y
        expected[i] = f
    found = diffusion(*pair, k, kq, alpha, gamma, iterations)
    np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize(("k", "kq"), [(1, 1), (5, 3), (1000, 1000)])
@pytest.mark.parametrize("alpha", [0.95, 0.5, 0])
def test_conjugate_gradient_solves_for_the_limit(plain, pair, k, kq, alpha):
    transition, start = system(plain, *pair, k, kq, 3)
    expected = np.linalg.solve(np.eye(len(transition)) - alpha * transition, (1 - alpha) * start.T).T
    found = diffusion(*pair, k, kq, alpha, iterations=200, solver="conjugate_gradient")
    np.testing.assert_allclose(found, expected, atol=5e-6)
    np.testing.assert_allclose(diffusion(*pair, k, kq, alpha, iterations=400), expected, atol=5e-6)


def test_conjugate_gradient_takes_no_more_than_the_given_steps(plain):
    rng = np.random.default_rng(0)
    query, gallery = rng.uniform(size=(3, 5)).astype(np.float32), rng.uniform(size=(80, 5)).astype(np.float32)
    transition, start = system(plain, query, gallery, 6, 3, 3)
    found = diffusion(query, gallery, 6, 3, iterations=4, solver="conjugate_gradient")
    matrix = np.eye(80) - 0.95 * transition
    expected = [cg(matrix, 0.05 * y, rtol=1e-6, maxiter=4)[0] for y in start]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def features() -> tuple[torch.Tensor, torch.Tensor]:
    """Two separate groups, so that the graph does not lead everywhere."""
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.rand(21, 8, generator=generator), torch.rand(60, 8, generator=generator)
    query[:5, :4], query[5:, 4:], gallery[:30, :4], gallery[30:, 4:] = 0, 0, 0, 0
    return query, gallery


@pytest.mark.parametrize("solver", ["iteration", "conjugate_gradient"])
def test_blocks_of_queries_do_not_matter(features, solver, monkeypatch):
    expected = diffusion(*features, 5, 3, solver=solver)
    monkeypatch.setattr(import_module(DiffusionRows.__module__), "_COLUMNS", 8)
    torch.testing.assert_close(diffusion(*features, 5, 3, solver=solver), expected, atol=1e-7, rtol=1e-5)


def test_rows_rank_what_the_graph_does_not_lead_to_by_cosine(features):
    query, gallery = features
    similarity = diffusion(query, gallery, 5, 3)
    rows = DiffusionRows(query, gallery, 5, 3)
    assert isinstance(rows, DistanceRows)
    assert rows.shape == (21, 60)
    found = rows.rows(2, 9)
    reached = similarity[2:9] > 0
    assert 0 < reached.sum() < reached.numel()
    assert torch.equal(found[reached], -similarity[2:9][reached])
    cosines = torch.nn.functional.normalize(query) @ torch.nn.functional.normalize(gallery).T
    torch.testing.assert_close(found[~reached], 1 - cosines[2:9][~reached], atol=1e-6, rtol=0)
    assert torch.equal(rows.rows(0, 21)[2:9], found)


@pytest.mark.parametrize("solver", ["iteration", "conjugate_gradient"])
def test_arrays(keeps_array_contract, features, solver):
    arrays = (feature.numpy() for feature in features)
    keeps_array_contract(lambda query, gallery: diffusion(query, gallery, 5, 3, solver=solver), *arrays)


def test_a_zero_vector_is_similar_to_nothing():
    found = diffusion(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.1]]), 2, 2)
    assert (found[0] == 0).all()
    assert (found[:, 1] == 0).all()
    assert (found[1, [0, 2]] > 0).all()


@pytest.mark.parametrize("solver", ["iteration", "conjugate_gradient"])
@pytest.mark.parametrize("sizes", [(0, 4), (3, 0), (0, 0)])
def test_nothing_to_do(sizes, solver):
    assert diffusion(torch.ones(sizes[0], 2), torch.ones(sizes[1], 2), solver=solver).shape == sizes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k is at least 1"),
        ({"kq": 0}, "kq is at least 1"),
        ({"alpha": 1}, r"alpha is in \[0, 1\), got 1"),
        ({"gamma": -1}, "gamma is a finite number"),
        ({"iterations": 0}, "iterations is at least 1"),
        ({"solver": "jacobi"}, "solver is iteration or conjugate_gradient, got 'jacobi'"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        diffusion(torch.ones(2, 3), torch.ones(4, 3), **options)
