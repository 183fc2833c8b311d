"""What is laid out in the plane, and that neighbours stay neighbours."""

import numpy as np
import pytest
import torch

from vreid_common.report.embedding import lay_out, sample_images


def test_images_of_whole_identities():
    pids = np.repeat(np.arange(40), 10)
    rows = sample_images(pids, most=60, num_identities=12, seed=0)
    drawn, counts = np.unique(pids[rows], return_counts=True)
    assert len(drawn) == 12
    assert set(counts) == {5}
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sample_images(pids, 60, 12, seed=0))
    assert rows.tolist() != sample_images(pids, 60, 12, seed=1).tolist()


@pytest.mark.parametrize("pids", [np.full(50, -1), np.arange(50)], ids=["unknown", "one image an identity"])
def test_single_images_where_no_identity_has_two(pids):
    rows = sample_images(pids, most=20, num_identities=5, seed=0)
    assert len(set(rows.tolist())) == 20


def test_distractors_and_single_images_are_no_identities():
    pids = np.array([-1, -1, 7, 3, 3, 3, 5])
    assert sample_images(pids, most=10, num_identities=5, seed=0).tolist() == [3, 4, 5]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_clusters_stay_clusters(metric):
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(4), 12)
    features = torch.from_numpy(4 * rng.normal(size=(4, 8))[pids] + 0.1 * rng.normal(size=(48, 8)))
    before = features.clone()
    if metric == "cosine":  # lengths say nothing
        features = features * torch.from_numpy(rng.uniform(0.1, 10, (48, 1)))
    points = lay_out(features, metric, seed=0)
    assert points.shape == (48, 2)
    assert 0 <= points.min() < points.max() <= 1
    distances = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(48)
    assert (pids[distances.argmin(axis=1)] == pids).all()
    np.testing.assert_array_equal(points, lay_out(features, metric, seed=0))
    assert metric == "cosine" or torch.equal(features, before)


def test_cardinality_of_one_dimension_and_of_few_images():
    assert lay_out(torch.arange(5.0)[:, None], "euclidean", seed=0).shape == (5, 2)
    assert lay_out(torch.randn(4, 3), "euclidean", seed=0).shape == (4, 2)


@pytest.mark.parametrize("features", [torch.randn(3, 4), torch.ones(9, 4), torch.zeros(9, 4)], ids=["few", "equal", "zero"])
def test_nothing_to_lay_out(features):
    assert lay_out(features, "cosine", seed=0) is None
