"""Fused distances against the formula."""

import numpy as np
import pytest
import torch

from vreid_common.reranking.fusion import FusedDistanceRows, fuse_distances
from vreid_common.structures import DenseRows, DistanceRows


@pytest.fixture
def distances() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(6, 9)).astype(np.float32) for _ in range(3)]


def test_formula(distances):
    identity, orientation, camera = distances
    np.testing.assert_allclose(fuse_distances(*distances), identity - 0.1 * orientation - 0.1 * camera, atol=1e-6)
    np.testing.assert_allclose(
        fuse_distances(*distances, 0.3, -2.0), identity - np.float32(0.3) * orientation + 2 * camera, atol=1e-6
    )
    np.testing.assert_allclose(fuse_distances(identity, camera=camera), identity - 0.1 * camera, atol=1e-6)
    alone = fuse_distances(identity)
    np.testing.assert_array_equal(alone, identity)
    assert not np.shares_memory(alone, identity)


def test_rows(distances):
    rows = FusedDistanceRows(*(DenseRows(distance) for distance in distances), 0.2, 0.4)
    assert isinstance(rows, DistanceRows)
    assert rows.shape == (6, 9)
    np.testing.assert_array_equal(rows.rows(1, 4), fuse_distances(*distances, 0.2, 0.4)[1:4])


def test_arrays(keeps_array_contract, distances):
    keeps_array_contract(fuse_distances, *distances, keeps_double=True)


def test_wrong_input_is_named(distances):
    with pytest.raises(ValueError, match=r"camera distance is \(6, 8\), that of identity \(6, 9\)"):
        fuse_distances(distances[0], camera=distances[1][:, :8])
    with pytest.raises(ValueError, match="lambda_orientation is a finite number, got nan"):
        fuse_distances(*distances, lambda_orientation=float("nan"))
    with pytest.raises(TypeError, match="distance is a"):
        fuse_distances(distances[0], distances[1].tolist())
    assert fuse_distances(torch.zeros(0, 3)).shape == (0, 3)
