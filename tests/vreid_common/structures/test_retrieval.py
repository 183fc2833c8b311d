"""Retrieval: what it holds together, and what it refuses."""

import pytest
import torch

from vreid_common.structures import DenseRows, FeatureRows, FeatureSet
from vreid_common.structures.retrieval import Retrieval


def images(size, dimensions=4):
    generator = torch.Generator().manual_seed(size)
    return FeatureSet.create(torch.randn(size, dimensions, generator=generator), range(size))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
def test_distance_of_the_features(metric):
    query, gallery = images(3), images(7)
    retrieval = Retrieval.from_features(query, gallery, metric)
    assert torch.equal(retrieval.distance.rows(0, 3), FeatureRows(query.features, gallery.features, metric).rows(0, 3))


def test_other_features_have_their_distance_and_the_labels_stay():
    further = {"camera": (images(3), images(7))}
    before = Retrieval.from_features(images(3), images(7), "euclidean", further)
    query, gallery = torch.randn(3, 2), torch.randn(7, 2)
    after = before.with_distance(DenseRows(torch.zeros(3, 7))).with_features(query, gallery)
    assert torch.equal(after.distance.rows(0, 3), FeatureRows(query, gallery, "euclidean").rows(0, 3))
    assert torch.equal(after.gallery.pids, before.gallery.pids)
    assert after.further is further
    assert before.query.features.shape == (3, 4)


def test_another_distance():
    matrix = torch.randn(3, 7)
    retrieval = Retrieval.from_features(images(3), images(7)).with_distance(DenseRows(matrix))
    assert torch.equal(retrieval.distance.rows(1, 3), matrix[1:3])


def test_shapes_are_checked():
    retrieval = Retrieval.from_features(images(3), images(7))
    with pytest.raises(ValueError, match=r"distance of 3 queries to 7 gallery images has shape \(7, 3\)"):
        retrieval.with_distance(DenseRows(torch.zeros(7, 3)))
    with pytest.raises(ValueError, match="3 queries and 7 gallery images, but 3 and 6 of the features 'camera'"):
        Retrieval.from_features(images(3), images(7), further={"camera": (images(3), images(6))})
    with pytest.raises(ValueError, match="4 dimensions, the gallery's 5"):
        Retrieval.from_features(images(3), images(7, 5))
