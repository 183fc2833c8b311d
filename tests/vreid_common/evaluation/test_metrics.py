"""evaluate_ranking against a plain walk down the sorted list, FastReID where that is right, and in bounded memory."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from fastreid.evaluation.rank import evaluate_rank
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.evaluation import bands, evaluate_queries, evaluate_ranking
from vreid_common.structures import METRICS, DenseRows, FeatureRows


def problem(seed: int, queries: int, gallery: int, ids: int, levels: int | None = None):
    rng = np.random.default_rng(seed)
    shape = queries, gallery
    distance = rng.random(shape) if levels is None else rng.integers(0, levels, shape)
    return (
        distance.astype(np.float32),
        rng.integers(0, ids, queries),
        rng.integers(0, ids, gallery),
        rng.integers(-1, 3, queries),
        rng.integers(-1, 3, gallery),
    )


class RowsOnly:
    """What anyone may give as a distance: a shape and rows."""

    def __init__(self, matrix):
        self.matrix = torch.as_tensor(matrix)
        self.shape = tuple(self.matrix.shape)

    def rows(self, start, stop):
        return self.matrix[start:stop]


def assert_same(found, expected):
    for value, wanted in zip((found.ap, found.inp, found.first_hit, found.num_matches), expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-12)


class TestAgainstTheDefinition:
    @pytest.mark.parametrize("same_camera", ["exclude", "keep"])
    @pytest.mark.parametrize("top_k", [None, 1, 7, 1000])
    @pytest.mark.parametrize("normalizer", ["all", "min", "hits"])
    @pytest.mark.parametrize("levels", [None, 4])
    def test_every_option(self, plain, same_camera, top_k, normalizer, levels):
        arguments = problem(1, 30, 80, 6, levels)
        found = evaluate_queries(*arguments, same_camera=same_camera, top_k=top_k, normalizer=normalizer)
        assert_same(found, plain(*arguments, same_camera, top_k, normalizer))

    @settings(max_examples=60, deadline=None)
    @given(
        st.integers(0, 2**32 - 1),
        st.integers(1, 8),
        st.integers(1, 30),
        st.integers(1, 9),
        st.integers(1, 6),
        st.sampled_from(["exclude", "keep"]),
        st.sampled_from([None, 1, 3, 40]),
        st.sampled_from(["all", "min", "hits"]),
    )
    def test_any_small_problem(self, plain, seed, queries, gallery, ids, levels, same_camera, top_k, normalizer):
        arguments = problem(seed, queries, gallery, ids, levels)
        found = evaluate_queries(*arguments, same_camera=same_camera, top_k=top_k, normalizer=normalizer)
        assert_same(found, plain(*arguments, same_camera, top_k, normalizer))

    def test_one_image_an_identity(self, plain):
        distance = np.random.default_rng(0).random((20, 20), dtype=np.float32)
        pids, cameras = np.arange(20), np.full(20, -1)
        assert_same(evaluate_queries(distance, pids, pids), plain(distance, pids, pids, cameras, cameras, "keep", None, "all"))

    def test_a_single_identity(self, plain):
        distance, _, _, query_camids, gallery_camids = problem(3, 6, 300, 1)
        arguments = distance, np.zeros(6, int), np.zeros(300, int), query_camids, gallery_camids
        assert_same(evaluate_queries(*arguments), plain(*arguments, "exclude", None, "all"))

    @pytest.mark.parametrize("limit", ["_PAIRS_BYTES", "_TILED_ROWS", "_ROWS_BYTES"])
    def test_bands_make_no_difference(self, plain, limit, monkeypatch):
        arguments = problem(4, 25, 60, 5, 6)
        monkeypatch.setattr(bands, limit, {"_PAIRS_BYTES": 5000, "_TILED_ROWS": 4, "_ROWS_BYTES": 1000}[limit])
        distance, *labels = arguments
        for kind in (DenseRows(distance), RowsOnly(distance)):
            assert_same(evaluate_queries(kind, *labels), plain(*arguments, "exclude", None, "all"))

    def test_ten_thousand_matches_a_query(self):
        rng = np.random.default_rng(5)
        distance = rng.random((3, 25_000), dtype=np.float32)
        distance[1] = np.round(distance[1], 2)
        match = rng.random((1, 25_000)) < 0.4
        found = evaluate_queries(distance, [1, 1, 1], match[0].astype(int))
        for row, ap, inp in zip(distance, found.ap, found.inp, strict=True):
            ranks = np.flatnonzero(match[0][np.argsort(row, kind="stable")]) + 1
            assert len(ranks) > 9_000
            assert ap == pytest.approx(np.mean(np.arange(1, len(ranks) + 1) / ranks), rel=1e-12)
            assert inp == pytest.approx(len(ranks) / ranks[-1], rel=1e-12)


class TestSummary:
    def test_means_and_curve(self, plain):
        arguments = problem(5, 40, 50, 12)
        ap, inp, first_hit, matches = plain(*arguments, "exclude", None, "all")
        valid = matches > 0
        assert 0 < valid.sum() < 40
        found = evaluate_ranking(*arguments, max_rank=20)
        assert found.mAP == pytest.approx(ap[valid].mean())
        assert found.mINP == pytest.approx(inp[valid].mean())
        np.testing.assert_allclose(found.cmc, [(first_hit[valid] < rank).mean() for rank in range(1, 21)])
        assert (found.num_valid_queries, found.num_queries) == (valid.sum(), 40)

    def test_gallery_smaller_than_max_rank_gives_a_rising_curve(self):
        """Fault B8: FastReID raises or lets the curve fall."""
        distance = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]], np.float32)
        found = evaluate_ranking(distance, [0, 1], [0, 1, 1], [0, 0], [1, 0, 1], max_rank=50)
        assert found.cmc.shape == (50,)
        assert (np.diff(found.cmc) >= 0).all()
        assert found.cmc[-1] == 1

    def test_ties_rank_by_gallery_index(self):
        """Fault B9: with one feature for all images the result is that of the gallery's order, whatever sorts it."""
        found = evaluate_ranking(np.zeros((1, 4), np.float32), [7], [1, 7, 2, 7])
        assert found.mAP == pytest.approx((1 / 2 + 2 / 4) / 2)
        assert found.cmc[:2].tolist() == [0, 1]

    def test_no_valid_query(self):
        with pytest.raises(ValueError, match="None of the 2 queries has a match"):
            evaluate_ranking(np.zeros((2, 3), np.float32), [0, 1], [2, 3, 4])
        with pytest.raises(ValueError, match="None of the 1 queries"):
            evaluate_ranking(np.zeros((1, 0), np.float32), [0], [])

    def test_unknown_cameras_are_never_excluded(self):
        distance = np.zeros((1, 1), np.float32)
        assert evaluate_ranking(distance, [0], [0], [-1], [-1]).num_valid_queries == 1
        with pytest.raises(ValueError, match="match"):
            evaluate_ranking(distance, [0], [0], [5], [5])


class TestKindsOfInput:
    def test_float64_differences_below_float32_count(self):
        assert evaluate_ranking(np.array([[1.0 + 1e-12, 1.0]]), [0], [1, 0]).mAP == 1

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision(self, plain, dtype):
        distance, *labels = problem(6, 10, 40, 4)
        half = torch.from_numpy(distance).to(dtype)
        assert_same(evaluate_queries(half, *labels), plain(half.float(), *labels, "exclude", None, "all"))

    def test_array_tensor_rows_and_non_contiguous_agree(self):
        distance, *labels = problem(7, 10, 40, 4, 5)
        expected = evaluate_ranking(distance, *labels)
        tensor = torch.from_numpy(distance)
        tensor_labels = [torch.from_numpy(label) for label in labels]
        wide = torch.zeros(10, 80)
        wide[:, ::2] = tensor
        for found in (
            evaluate_ranking(tensor, *tensor_labels),
            evaluate_ranking(DenseRows(distance), *labels),
            evaluate_ranking(RowsOnly(distance), *labels),
            evaluate_ranking(RowsOnly(distance.astype(np.float64)), *labels),
            evaluate_ranking(distance[::-1][::-1], *labels),
            evaluate_ranking(np.asfortranarray(distance), *labels),
            evaluate_ranking(wide[:, ::2], *labels),
            evaluate_ranking(tensor.T.contiguous().T, *labels),
        ):
            assert (found.mAP, found.mINP) == (expected.mAP, expected.mINP)
            assert np.array_equal(found.cmc, expected.cmc)

    def test_numpy_in_numpy_out_tensor_in_tensor_out(self):
        distance, *labels = problem(8, 5, 20, 3)
        assert isinstance(evaluate_ranking(distance, *labels).cmc, np.ndarray)
        assert isinstance(evaluate_ranking(torch.from_numpy(distance), *labels).cmc, torch.Tensor)

    def test_distances_are_not_changed(self):
        distance, *labels = problem(9, 5, 20, 3)
        before = distance.copy()
        evaluate_ranking(distance, *labels)
        assert np.array_equal(distance, before)

    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_features_in_place_of_distances(self, plain, metric, dtype):
        rng = np.random.default_rng(10)
        query, gallery = (torch.from_numpy(rng.standard_normal((n, 16))).to(dtype) for n in (9, 3000))
        gallery = gallery.T.contiguous().T
        labels = [rng.integers(0, high, n) for high in (40, 4) for n in (9, 3000)]
        rows = FeatureRows(query, gallery, metric)
        assert_same(evaluate_queries(rows, *labels), plain(rows.rows(0, 9), *labels, "exclude", None, "all"))

    @pytest.mark.parametrize("metric", METRICS)
    @pytest.mark.parametrize("queries", [1, 5])
    @pytest.mark.parametrize("images", [37, 900])
    def test_equal_features_rank_by_gallery_index(self, plain, metric, queries, images):
        """Few points, each many times, before and after the borders of tiles."""
        generator = torch.Generator().manual_seed(0)
        points = torch.randn(4, 64, generator=generator)
        point, pids = torch.randint(4, (images,), generator=generator), torch.randint(2, (images,), generator=generator)
        asked = points[:1] + torch.randn(queries, 64, generator=generator)
        near = torch.from_numpy(FeatureRows(asked.double(), points.double(), metric).rows(0, queries).numpy())
        found = evaluate_queries(FeatureRows(asked, points[point], metric), torch.ones(queries, dtype=int), pids)
        unknown = np.full(max(queries, images), -1)
        labels = np.ones(queries, int), pids.numpy(), unknown[:queries], unknown[:images]
        assert_same(found, plain(near[:, point], *labels, "keep", None, "all"))


def test_gallery_images_of_nobody_match_no_query():
    distance = np.array([[0.1, 0.2, 0.3]], np.float32)
    assert evaluate_ranking(distance, [5], [-1, 5, -1]).mAP == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"same_camera": "maybe"}, "same_camera"),
        ({"normalizer": "mean"}, "all, min or hits"),
        ({"top_k": 0}, "top_k"),
        ({"max_rank": 0}, "max_rank"),
        ({"query_pids": [0]}, r"query_pids are \(2,\)"),
        ({"gallery_pids": [0.5, 1, 2]}, "gallery_pids"),
        ({"query_pids": [0, -1]}, "query 1 has -1, which is none"),
        ({"gallery_pids": np.array([0, 1, 2**63], np.uint64)}, r"below 2\*\*63, got 9223372036854775808"),
        ({"gallery_camids": None}, "together or not at all"),
        ({"distance": np.array([[0, 1, 2], [0, np.nan, 1]], np.float32)}, "query 1 .* not a number"),
        ({"distance": np.zeros((0, 3), np.float32), "query_pids": [], "query_camids": []}, "no queries"),
    ],
)
def test_refusals_in_one_sentence(change, message):
    arguments = {
        "distance": np.zeros((2, 3), np.float32),
        "query_pids": [0, 1],
        "gallery_pids": [0, 1, 1],
        "query_camids": [0, 0],
        "gallery_camids": [1, 1, 1],
    }
    with pytest.raises(ValueError, match=message):
        evaluate_ranking(**(arguments | change))


def test_fastreid_agrees_where_it_is_right():
    """Its Python ranking on distances without ties and a gallery longer than max_rank."""
    distance, query_pids, gallery_pids, query_camids, gallery_camids = problem(11, 60, 400, 20)
    query_camids, gallery_camids = query_camids + 1, gallery_camids + 1  # FastReID has no unknown camera
    arguments = distance, query_pids, gallery_pids, query_camids, gallery_camids
    cmc, ap, inp = evaluate_rank(*arguments, use_cython=False)
    found = evaluate_ranking(*arguments)
    assert found.mAP == pytest.approx(np.mean(ap), abs=1e-6)
    assert found.mINP == pytest.approx(np.mean(inp), abs=1e-6)
    np.testing.assert_allclose(found.cmc, cmc, atol=1e-6)


def test_a_long_gallery_needs_the_memory_of_a_block():
    """600 x 200,000 float32 distances would be 480 MB (fault B20); a block and the work on it stay below 64 MB."""
    script = """
    import resource, torch
    from vreid_common.evaluation import evaluate_ranking
    from vreid_common.structures import FeatureRows
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    def run(queries, gallery):
        rows = FeatureRows(torch.randn(queries, 8, generator=generator), torch.randn(gallery, 8, generator=generator))
        pids = [torch.randint(0, 5000, (n,), generator=generator) for n in (queries, gallery)]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        evaluate_ranking(rows, *pids)
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    run(50, 5000)
    print(run(600, 200_000))
    """
    output = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True).stdout
    assert float(output) < 64
