"""Distances computed from features, against plain float64 formulas, and tile by tile."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from fastreid.utils.compute_dist import build_dist

from vreid_common.structures import METRICS, DistanceRows, FeatureRows, TiledRows, feature_rows


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
        assert isinstance(rows, TiledRows)
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


def test_arrays_are_refused_by_their_kind():
    with pytest.raises(TypeError, match=r"query features are a Tensor, got ndarray: use torch\.from_numpy"):
        FeatureRows(np.zeros((2, 3), np.float32), torch.zeros(2, 3))


def test_cosines_of_features_whose_squares_overflow():
    query, gallery = torch.tensor([[3e20, 4e20]]), torch.tensor([[4e20, 3e20], [-3.0, -4.0]])
    torch.testing.assert_close(FeatureRows(query, gallery).rows(0, 1), torch.tensor([[1 - 24 / 25, 2.0]]))


def distances(tiles, rows: slice, columns: slice, out=None) -> torch.Tensor:
    values = tiles.tile(rows, columns, out)
    return values if tiles.finish is None else tiles.finish.apply_(values, rows, columns)


@pytest.mark.parametrize("metric", METRICS)
class TestTiles:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
    def test_are_parts_of_rows(self, metric, dtype):
        generator = torch.Generator().manual_seed(0)
        rows = FeatureRows(*(torch.randn(n, 24, generator=generator).to(dtype) for n in (9, 2000)), metric)
        tiles = rows.tiles(2, 8)
        assert tiles.shape == (6, 2000)
        out = torch.empty(4, 300)
        found = distances(tiles, slice(1, 5), slice(1000, 1300), out)
        assert found.data_ptr() == out.data_ptr()
        torch.testing.assert_close(found, rows.rows(3, 7)[:, 1000:1300])

    @pytest.mark.parametrize("queries", [1, 2, 5, 70])
    @pytest.mark.parametrize("images", [30, 2000])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
    def test_pairs_have_the_numbers_of_tiles(self, metric, queries, images, dtype, monkeypatch):
        """Bit for bit, or a positive would not be found among the distances of its tile."""
        generator = torch.Generator().manual_seed(0)
        features = [torch.randn(n, 100, generator=generator).to(dtype) for n in (queries, images)]
        monkeypatch.setattr(feature_rows, "_HOST_TILE", (2048, 256))
        tiles = FeatureRows(*features, metric).tiles(0, queries)
        query = torch.randint(queries, (900,), generator=generator).sort().values
        gallery = torch.randint(images, (900,), generator=generator)
        width = min(images, 256)
        found = tiles.pairs(query, gallery)
        for q, g, distance in zip(query.tolist(), gallery.tolist(), found.tolist(), strict=True):
            first = min(g // 256 * 256, images - width)
            assert distances(tiles, slice(0, queries), slice(first, first + width))[q, g - first].item() == distance

    def test_no_pairs(self, metric):
        tiles = FeatureRows(torch.randn(3, 4), torch.randn(5, 4), metric).tiles(0, 3)
        none = torch.empty(0, dtype=torch.int64)
        assert tiles.pairs(none, none).shape == (0,)
        assert tiles.tile(slice(0, 0), slice(0, 0)).shape == (0, 0)


def test_threads_compute_in_full_precision_and_leave_the_setting():
    rows = FeatureRows(torch.randn(40, 64), torch.randn(5000, 64), "dot")
    tiles, expected = rows.tiles(0, 40), rows.rows(0, 40)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda start: tiles.tile(slice(0, 40), slice(start, start + 50)), range(0, 5000, 50)))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(precision)
    torch.testing.assert_close(torch.cat(parts, dim=1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dimensions", [17, 64, 256, 512, 2048])
@pytest.mark.parametrize("images", [1, 5, 37, 1001])
@pytest.mark.parametrize("queries", [1, 2, 3, 9])
def test_equal_features_are_equally_far(queries, images, dimensions):
    generator = torch.Generator().manual_seed(0)
    query, image = (torch.randn(n, dimensions, generator=generator) for n in (queries, 1))
    found = FeatureRows(query, image.repeat(images, 1), "dot").rows(0, queries)
    assert torch.equal(found, found[:, :1].expand_as(found))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
def test_a_pair_is_as_far_in_any_part_that_is_read(metric):
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(70, 100, generator=generator), torch.randn(1000, 100, generator=generator)
    whole = FeatureRows(query, gallery, metric).rows(0, 70)
    for start, stop, images in ((0, 1, 1000), (3, 6, 37), (60, 70, 5), (0, 70, 999)):
        part = FeatureRows(query, gallery[:images], metric).rows(start, stop)
        assert torch.equal(part, whole[start:stop, :images])
