"""Galleries: search by each index against a loop, re-ranking, adding and removing."""

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.gallery import INDEX_KINDS, Gallery
from vreid_common.reranking import k_reciprocal
from vreid_common.reranking.pipeline import build_pipeline
from vreid_common.structures import FeatureSet


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
def test_feature_exact_search(metric, draw, plain_search):
    images, query = draw(300), draw(20, seed=1)
    indices, distances = Gallery.build(images, metric).search(query, 7)
    np.testing.assert_array_equal(indices, plain_search(query.features, images.features, 7, metric))
    assert (distances.diff(dim=1) >= 0).all()


@pytest.mark.parametrize("kind", INDEX_KINDS[1:])
def test_feature_an_index_changes_what_is_found_not_how_far_it_is(kind, draw):
    images, query = draw(500), draw(20, seed=1)
    gallery = Gallery.build(images, "cosine", kind, 0.9)
    indices, distances = gallery.search(query, 10)
    exact, exact_distances = gallery.search(query, 10, exact=True)
    assert np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(indices, exact, strict=True)]) > 0.8
    for row in range(20):
        for index, distance in zip(indices[row], distances[row], strict=True):
            cosine = torch.cosine_similarity(query.features[row], images.features[index], dim=0)
            assert float(distance) == pytest.approx(1 - float(cosine), abs=1e-5)
    assert (exact_distances[:, 0] <= distances[:, 0] + 1e-6).all()


def test_feature_re_ranking_of_the_first_candidates(draw, plain_search):
    images, query = draw(200), draw(4, seed=1)
    pipeline = build_pipeline([{"k_reciprocal": {"k1": 5, "k2": 2}}], "euclidean")
    indices, distances = Gallery.build(images, "euclidean").search(query, 6, pipeline, candidates=30)
    for row in range(4):
        feature = query.features[row : row + 1]
        chosen = np.sort(plain_search(feature, images.features, 30, "euclidean")[0])
        expected = k_reciprocal(feature.numpy(), images.features.numpy()[chosen], 5, 2)[0]
        order = np.argsort(expected, kind="stable")[:6]
        np.testing.assert_array_equal(indices[row], chosen[order])
        np.testing.assert_allclose(distances[row], expected[order], atol=1e-6)


def test_feature_candidates_are_at_least_the_ranks_wanted(draw):
    gallery = Gallery.build(draw(50))
    indices, _ = gallery.search(draw(2, seed=1), 20, build_pipeline(["k_reciprocal"]), candidates=5)
    assert indices.shape == (2, 20)
    assert (indices >= 0).all()


def test_cardinality_more_ranks_than_images(draw):
    indices, distances = Gallery.build(draw(3)).search(draw(2, seed=1), 10)
    assert indices.shape == distances.shape == (2, 3)


@pytest.mark.parametrize("kind", INDEX_KINDS)
def test_feature_added_and_removed(kind, draw):
    first, second = draw(200), draw(150, seed=1, name="h")
    gallery = Gallery.build(first, "cosine", kind, 0.95, {"of": "model"})
    joined = gallery.added(second)
    assert (len(gallery.images), len(joined.images)) == (200, 350)
    assert joined.images.paths == first.paths + second.paths
    assert torch.equal(joined.images.features, torch.cat([first.features, second.features]))
    assert joined.images.track_ids.tolist() == [*first.track_ids.tolist(), *second.track_ids.tolist()]
    nearest, _ = joined.search(second, 1)
    assert (nearest[:, 0] == torch.arange(200, 350)).float().mean() > 0.9

    left = joined.removed([*first.paths[:100], second.paths[7]])
    assert left.images.paths == first.paths[100:] + second.paths[:7] + second.paths[8:]
    assert left.model == {"of": "model"}
    nearest, _ = left.search(second.select([6, 8]), 1)
    assert [left.images.paths[int(i)] for i in nearest[:, 0]] == [second.paths[6], second.paths[8]]
    assert (left.index is None) == (kind == "exact")


def test_images_without_paths_can_be_many(draw):
    nameless = FeatureSet.create(np.eye(4), [0, 1, 2, 3])
    assert len(Gallery.build(nameless).added(nameless).images) == 8


class TestBadInput:
    def test_an_empty_gallery(self, draw):
        with pytest.raises(InputError, match="at least one image"):
            Gallery.build(draw(0))
        with pytest.raises(InputError, match="at least one image"):
            Gallery.build(draw(2)).removed(["g/0.jpg", "g/1.jpg"])

    def test_an_image_twice(self, draw):
        with pytest.raises(InputError, match="g/0.jpg would be in the gallery twice"):
            Gallery.build(draw(3)).added(draw(1))
        with pytest.raises(InputError, match="a.jpg would be in the gallery twice"):
            Gallery.build(FeatureSet.create(np.eye(2), [0, 1], paths=["a.jpg", "a.jpg"]))

    def test_an_image_that_is_not_there(self, draw):
        with pytest.raises(InputError, match="g/7.jpg is not in the gallery, nor are 1 more"):
            Gallery.build(draw(3)).removed(["g/1.jpg", "g/7.jpg", "g/8.jpg"])

    def test_other_dimensions(self, draw):
        gallery = Gallery.build(draw(3))
        with pytest.raises(InputError, match="The query's features have 8 dimensions and the gallery's 16"):
            gallery.search(draw(1, dim=8), 1)
        with pytest.raises(InputError, match="The new features have 8 dimensions and the gallery's 16"):
            gallery.added(draw(1, name="h", dim=8))
