"""DistanceRows: a matrix read in blocks, and distances computed from features, against plain float64 formulas."""

import numpy as np
import pytest
import torch
from fastreid.utils.compute_dist import build_dist

from vreid_common.structures import METRICS, DenseRows, DistanceRows, FeatureRows, as_distance_rows, row_blocks


def plain(query: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    q, g = query.astype(np.float64), gallery.astype(np.float64)
    if metric == "dot":
        return -(q @ g.T)
    if metric == "euclidean":
        return ((q[:, None] - g[None]) ** 2).sum(axis=2)
    return 1 - (q / np.linalg.norm(q, axis=1, keepdims=True)) @ (g / np.linalg.norm(g, axis=1, keepdims=True)).T


@pytest.fixture
def features() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(7, 5, generator=generator), 3 * torch.randn(11, 5, generator=generator)


@pytest.mark.parametrize("metric", METRICS)
class TestFeatureRows:
    def test_values(self, features, metric):
        query, gallery = features
        rows = FeatureRows(query, gallery, metric)
        assert rows.shape == (7, 11)
        assert isinstance(rows, DistanceRows)
        np.testing.assert_allclose(rows.rows(0, 7), plain(query.numpy(), gallery.numpy(), metric), atol=2e-5)
        torch.testing.assert_close(rows.rows(2, 5), rows.rows(0, 7)[2:5])

    def test_inputs_are_not_changed(self, features, metric):
        before = [feature.clone() for feature in features]
        FeatureRows(*features, metric).rows(0, 7)
        assert all(torch.equal(a, b) for a, b in zip(before, features, strict=True))

    def test_half_precision_and_non_contiguous_input(self, features, metric):
        query, gallery = features[0].bfloat16(), features[1].bfloat16().T.contiguous().T
        expected = plain(query.float().numpy(), gallery.float().numpy(), metric)
        np.testing.assert_allclose(FeatureRows(query, gallery, metric).rows(0, 7), expected, atol=2e-5)

    def test_float32_under_autocast_and_tf32(self, features, metric):
        expected = FeatureRows(*features, metric).rows(0, 7)
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = FeatureRows(*features, metric).rows(0, 7)
            assert torch.get_float32_matmul_precision() == "medium"
        finally:
            torch.set_float32_matmul_precision(precision)
        assert torch.equal(found, expected)

    def test_zero_features_are_finite(self, metric):
        assert torch.isfinite(FeatureRows(torch.zeros(2, 3), torch.zeros(4, 3), metric).rows(0, 2)).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_units_are_those_of_fastreid(features, metric):
    np.testing.assert_allclose(FeatureRows(*features, metric).rows(0, 7), build_dist(*features, metric), atol=2e-5)


def test_euclidean_is_never_negative():
    point = torch.full((1, 64), 1000.0) + torch.arange(64)
    assert (FeatureRows(point, point.repeat(50, 1), "euclidean").rows(0, 1) >= 0).all()


@pytest.mark.parametrize(
    ("query", "gallery", "metric", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), "cosine", "3 dimensions, the gallery's 4"),
        (torch.zeros(2, 3), torch.zeros(2, 3), "hamming", "cosine, euclidean, dot"),
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64), "cosine", "gallery features are"),
        (torch.zeros(2), torch.zeros(2, 3), "cosine", "query features are"),
    ],
)
def test_feature_rows_refuse(query, gallery, metric, message):
    with pytest.raises(ValueError, match=message):
        FeatureRows(query, gallery, metric)


class TestDenseRows:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.bool_])
    def test_every_value_is_kept(self, dtype):
        matrix = (np.arange(12).reshape(3, 4) % 5).astype(dtype)
        assert np.array_equal(DenseRows(matrix).rows(1, 3).numpy(), matrix[1:3])

    def test_float64_is_not_rounded(self):
        close = np.array([[1.0, 1.0 + 1e-12]])
        assert DenseRows(close).rows(0, 1)[0, 0] < DenseRows(close).rows(0, 1)[0, 1]

    def test_views_of_any_stride(self):
        matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
        for view in (matrix.T, matrix[::-1], matrix[:, ::-2]):
            assert np.array_equal(DenseRows(view).rows(0, len(view)).numpy(), view)

    def test_read_only_memory_maps(self, tmp_path, recwarn):
        np.save(tmp_path / "d.npy", np.eye(3, dtype=np.float32))
        assert np.array_equal(DenseRows(np.load(tmp_path / "d.npy", mmap_mode="r")).rows(1, 2).numpy(), np.eye(3)[1:2])
        assert not recwarn.list

    def test_refusals(self):
        with pytest.raises(ValueError, match="two dimensions"):
            DenseRows(np.zeros(3))
        with pytest.raises(ValueError, match="real numbers"):
            DenseRows(np.zeros((2, 2), complex))


def test_blocks_cover_every_row_once():
    matrix = torch.arange(14.0).reshape(7, 2)
    blocks = list(row_blocks(DenseRows(matrix), 3))
    assert [start for start, _ in blocks] == [0, 3, 6]
    assert torch.equal(torch.cat([block for _, block in blocks]), matrix)


def test_as_distance_rows():
    rows = DenseRows(torch.zeros(1, 1))
    assert as_distance_rows(rows) is rows
    with pytest.raises(TypeError, match="list"):
        as_distance_rows([[0.0]])
