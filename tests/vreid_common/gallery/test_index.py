"""Indexes: what they find against a plain search, their measured recall, and images added to them."""

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.gallery import build_index

KINDS = ["ivf", "hnsw"]


def plain_recall(index, features, plain_search, metric):
    """Of 256 images at even distances, the share of their 100 nearest others that the index finds, one by one."""
    own = np.unique(np.round(np.linspace(0, len(features) - 1, min(256, len(features)))).astype(int))
    ranks = min(100, len(features) - 1)
    shares = []
    for image in own:
        row = features[image : image + 1]
        exact = [other for other in plain_search(row, features, ranks + 1, metric)[0] if other != image][:ranks]
        found = [other for other in index.search(row, ranks + 1)[0].tolist() if other not in (image, -1)][:ranks]
        shares.append(len(set(exact) & set(found)) / ranks)
    return np.mean(shares)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_feature_the_recall_is_what_a_loop_measures(kind, metric, draw, plain_search):
    features = draw(600).features
    index = build_index(features, kind, metric, wanted=0.8)
    assert index.recall.value >= 0.8
    assert (index.recall.ranks, index.recall.queries) == (100, 256)
    assert index.recall.value == pytest.approx(plain_recall(index, features, plain_search, metric), abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_feature_a_higher_recall_takes_more_effort(kind):
    features = torch.randn(2000, 64, generator=torch.Generator().manual_seed(0))  # without clusters, which are easy to find
    little, much = (build_index(features, kind, "cosine", wanted) for wanted in (0.1, 1.0))
    assert little.effort < much.effort
    assert little.recall.value < much.recall.value
    assert much.recall.value >= 0.999


def test_feature_all_clusters_are_the_whole_gallery(draw, plain_search):
    features, query = draw(500).features, draw(20, seed=1).features
    index = build_index(features, "ivf", "cosine", wanted=1.0)
    assert index.recall.value == 1 or index.effort == index.faiss_index.nlist
    found = index.search(query, 500)
    if index.effort == index.faiss_index.nlist:
        assert (found.sort(dim=1).values == torch.arange(500)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_feature_added_images_are_found(kind, draw):
    features = torch.cat([draw(400).features, draw(300, seed=1).features])
    index = build_index(features[:400], kind, "cosine", 0.95).added(features, 400, 0.95)
    found = index.search(features[400:], 1)[:, 0]
    assert (found == torch.arange(400, 700)).float().mean() > 0.95
    assert index.recall.value >= 0.95


def test_feature_clusters_are_chosen_anew_when_the_gallery_has_doubled(draw):
    features = draw(900).features
    index = build_index(features[:400], "ivf", "cosine", 0.9)
    assert index.added(features[:800], 400, 0.9).trained_on == 400
    assert index.added(features, 400, 0.9).trained_on == 900


@pytest.mark.parametrize("kind", KINDS)
def test_feature_adding_leaves_the_index_as_it_was(kind, draw):
    features = draw(300).features
    index = build_index(features[:200], kind)
    index.added(features, 200, 0.9)
    assert index.faiss_index.ntotal == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 38])
def test_cardinality_few_images(kind, size, draw, capfd):
    features = draw(size).features
    index = build_index(features, kind)
    found = index.search(features, 50)
    assert found.shape == (size, size)
    assert found[:, 0].tolist() == list(range(size))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", KINDS)
def test_feature_duplicates_and_zero_vectors(kind):
    features = torch.zeros(80, 4)
    features[40:] = torch.eye(4).repeat(10, 1)
    index = build_index(features, kind, "cosine", 0.9)
    assert index.search(features[:1], 5).shape == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pq",), "The index is 'pq': use one of exact, ivf, hnsw."),
        (("exact",), "The index is 'exact'"),
        (("ivf", "dot"), "An index is by cosine or euclidean, not by dot"),
        (("ivf", "cosine", 0.0), "The recall to reach is 0.0: use a number above 0, up to 1."),
        (("ivf", "cosine", float("nan")), "The recall to reach is nan"),
    ],
)
def test_exception(arguments, message, draw):
    with pytest.raises(InputError, match=message):
        build_index(draw(10).features, *arguments)
