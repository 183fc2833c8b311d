import numpy as np
import pytest
import torch

from vreid_common.reranking import tile_search
from vreid_common.reranking.neighbors import nearest_neighbors
from vreid_common.reranking.panels import FeatureUnion


def plain(query, gallery, k, metric):
    """Sorts all distances, in float64, ties by index."""
    query, gallery = query.double().numpy(), gallery.double().numpy()
    indices, values = [], []
    for q in query:
        if metric == "cosine":
            row = -(gallery @ q) / np.maximum(np.linalg.norm(gallery, axis=1), 1e-12) / max(np.linalg.norm(q), 1e-12)
        else:
            row = ((gallery - q) ** 2).sum(axis=1)
        order = np.argsort(row, kind="stable")[:k]
        indices.append(order)
        values.append(row[order])
    values = np.array(values)
    return np.array(indices), -values if metric == "cosine" else values


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 3, 7), (50, 2100, 21), (1100, 40, 40)])
def test_search_equals_sorting(metric, sizes, threads):
    num_query, num_gallery, k = sizes
    query, gallery = torch.randn(num_query, 24), torch.randn(num_gallery, 24)
    indices, values = nearest_neighbors(query, gallery, k, metric=metric)
    expected, expected_values = plain(query, gallery, k, metric)
    assert indices.dtype == torch.int64
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(values, expected_values, atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_search_within_one_set_equals_sorting(metric, threads):
    features = torch.randn(2300, 16)
    indices, values = nearest_neighbors(features, features, 9, metric=metric)
    expected, expected_values = plain(features, features, 9, metric)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(values, expected_values, atol=2e-6, rtol=1e-6)


def test_ties_rank_by_index_and_crowds_are_searched_again():
    # 400 copies of one image: far more than the candidates that are kept, so that only the exact search can order them.
    features = torch.randn(1500, 8)
    features[torch.randperm(1500)[:400]] = features[7].clone()
    indices, _ = nearest_neighbors(features, features, 20, metric="euclidean")
    np.testing.assert_array_equal(indices, plain(features, features, 20, "euclidean")[0])


def test_a_dense_cluster_far_from_the_origin_is_ranked_exactly():
    # Distances of 1e-4 between features of norm 1e2: float32 products alone would order them by chance.
    features = torch.randn(600, 32) * 1e-3 + 20
    query = features[:40].clone()
    for rows, columns in ((features, features), (query, features)):
        indices, _ = nearest_neighbors(rows, columns, 12, metric="euclidean")
        np.testing.assert_array_equal(indices, plain(rows, columns, 12, "euclidean")[0])


def test_uncertain_rows_are_found():
    features = torch.randn(300, 4).round()  # many exact ties
    union = FeatureUnion(features)
    searched = []
    original = tile_search._search_again

    def spy(rows, columns, halves, doubtful, *others):
        searched.append(len(doubtful))
        original(rows, columns, halves, doubtful, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile_search, "_search_again", spy)
        found = tile_search.search_tiles(union, union, 30, cosine=False)
    assert searched[0] > 0
    np.testing.assert_array_equal(found.indices, plain(features, features, 30, "euclidean")[0])


def test_farthest_is_the_greatest_distance():
    features = torch.randn(1300, 12)
    union = FeatureUnion(features[:200], features[200:])
    found = tile_search.search_tiles(union, union, 3, cosine=False, farthest=True)
    expected = torch.cdist(features.double(), features.double(), compute_mode="donot_use_mm_for_euclid_dist").square().amax(1)
    np.testing.assert_allclose(found.farthest, expected, rtol=1e-6)


def test_zero_vectors_have_cosine_zero():
    features = torch.zeros(6, 5)
    features[0, 0] = 1.0
    indices, values = nearest_neighbors(features, features, 6)
    np.testing.assert_array_equal(indices, plain(features, features, 6, "cosine")[0])
    assert torch.isfinite(values).all()


def test_the_threads_of_torch_stay_as_they_were():
    before = torch.get_num_threads()
    nearest_neighbors(torch.randn(10, 3), torch.randn(10, 3), 2)
    assert torch.get_num_threads() == before
