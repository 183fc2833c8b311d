"""Query expansion against a loop over queries and neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vreid_common.reranking.query_expansion import alpha_query_expansion, average_query_expansion


def expanded(plain, query, gallery, k, alpha):
    query, gallery, cosines = plain.unit(query), plain.unit(gallery), plain.cosines(query, gallery)
    result = query.copy()
    for i in range(len(query)):
        for j in plain.ranked(cosines[i])[:k]:
            result[i] += gallery[j] * max(cosines[i, j], 0) ** alpha
    return plain.unit(np.where(np.abs(result) < 1e-9, 0, result))


@pytest.mark.parametrize("k", [1, 4, 1000])
@pytest.mark.parametrize("alpha", [0, 0.5, 3])
def test_is_the_weighted_sum_of_the_nearest(plain, pair, k, alpha):
    found = alpha_query_expansion(*pair, k, alpha)
    np.testing.assert_allclose(found, expanded(plain, *pair, k, alpha), atol=2e-6)


@pytest.mark.parametrize("k", [1, 4, 1000])
def test_average_is_the_mean_of_the_query_and_its_nearest(plain, pair, k):
    query, gallery = (plain.unit(features) for features in pair)
    cosines = plain.cosines(query, gallery)
    means = [np.mean([q, *gallery[plain.ranked(row)[:k]]], axis=0) for q, row in zip(query, cosines, strict=True)]
    expected = plain.unit(np.where(np.abs(means) < 1e-9, 0, means))
    np.testing.assert_allclose(average_query_expansion(*pair, k), expected, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3)), elements=st.integers(-3, 3).map(float)),
    hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(-3, 3).map(float)),
    st.integers(1, 15),
    st.sampled_from([0.0, 1.0, 2.5]),
)
def test_any_features_give_unit_or_zero_vectors(query, gallery, k, alpha):
    found = alpha_query_expansion(query, gallery, k, alpha)
    assert found.shape == query.shape
    norms = np.linalg.norm(found, axis=1)
    assert ((np.abs(norms - 1) < 1e-5) | (norms == 0)).all()


def test_length_of_features_changes_nothing(plain):
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(30, 8)).astype(np.float32)
    expected = average_query_expansion(query, gallery, 3)
    scale = (10.0 ** rng.uniform(-6, 6, size=(30, 1))).astype(np.float32)
    np.testing.assert_allclose(average_query_expansion(query * 1e-5, gallery * scale, 3), expected, atol=2e-6)


def test_the_mean_of_opposite_vectors_is_zero():
    query = np.random.default_rng(0).normal(size=(200, 32)).astype(np.float32)
    for i in range(len(query)):
        assert not average_query_expansion(query[i : i + 1], -3 * query[i : i + 1], 1).any()


def test_arrays(keeps_array_contract):
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(30, 8)).astype(np.float32)
    keeps_array_contract(lambda query, gallery: alpha_query_expansion(query, gallery, 4, 2.0), *arrays)


def test_nothing_to_do():
    assert alpha_query_expansion(torch.zeros(0, 4), torch.ones(3, 4), 2, 1).shape == (0, 4)
    without_gallery = alpha_query_expansion(torch.tensor([[3.0, 4.0]]), torch.zeros(0, 2), 2, 1)
    torch.testing.assert_close(without_gallery, torch.tensor([[0.6, 0.8]]))


@pytest.mark.parametrize(
    ("k", "alpha", "error", "message"),
    [
        (0, 1, ValueError, "k is at least 1, got 0"),
        (2.5, 1, TypeError, "k is a whole number, got 2.5"),
        (2, -1, ValueError, "alpha is a finite number of at least 0, got -1"),
        (2, float("nan"), ValueError, "alpha is a finite number"),
    ],
)
def test_wrong_parameters_are_named(k, alpha, error, message):
    with pytest.raises(error, match=message):
        alpha_query_expansion(torch.ones(2, 3), torch.ones(4, 3), k, alpha)
