"""True positive rate at a false positive rate, against scikit-learn's ROC curve of all pairs at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from vreid_common.evaluation import bands, tpr_at_fpr
from vreid_common.evaluation.tracks import TrackRows
from vreid_common.structures import DenseRows, FeatureRows

FPRS = (0.0, 0.001, 0.05, 0.1, 0.37, 0.5, 1.0)


def plain(distance, query_pids, gallery_pids, query_camids, gallery_camids, fprs=FPRS):
    positive = query_pids[:, None] == gallery_pids
    junk = positive & (query_camids[:, None] == gallery_camids) & (query_camids[:, None] != -1)
    fpr, tpr, _ = roc_curve(positive[~junk], -distance[~junk], drop_intermediate=False)
    return [tpr[fpr <= wanted].max() for wanted in fprs]


def problem(seed, queries, gallery, ids, levels):
    rng = np.random.default_rng(seed)
    query_pids, gallery_pids = rng.integers(0, ids, queries), rng.integers(0, ids, gallery)
    distance = (rng.integers(0, levels, (queries, gallery)) + (query_pids[:, None] != gallery_pids)).astype(np.float32)
    return distance, query_pids, gallery_pids, rng.integers(-1, 3, queries), rng.integers(-1, 3, gallery)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(12, 40), st.integers(2, 6), st.sampled_from([1, 3, 10, 1000]))
def test_any_small_problem(seed, queries, gallery, ids, levels):
    distance, query_pids, gallery_pids, query_camids, gallery_camids = problem(seed, queries, gallery, ids, levels)
    # One positive and one negative pair for sure.
    gallery_pids[:2], gallery_camids[:2] = (query_pids[0], query_pids[0] + 1), -1
    arguments = distance, query_pids, gallery_pids, query_camids, gallery_camids
    np.testing.assert_allclose(tpr_at_fpr(*arguments, fprs=FPRS), plain(*arguments))


@pytest.mark.parametrize("levels", [2000, 10**7])
def test_many_bands_and_tiles(levels, monkeypatch):
    """Positives that too many negatives are before are given up on the way, which never matters."""
    arguments = problem(0, 60, 40_000, 50, levels)
    fprs = (1e-5, 1e-4, 1e-3, 0.2)
    expected = plain(*arguments, fprs=fprs)
    np.testing.assert_allclose(tpr_at_fpr(*arguments, fprs=fprs), expected)
    np.testing.assert_allclose(tpr_at_fpr(torch.from_numpy(arguments[0]), *arguments[1:], fprs=fprs), expected)
    np.testing.assert_allclose(tpr_at_fpr(arguments[0].astype(np.float64), *arguments[1:], fprs=fprs), expected)
    monkeypatch.setattr(bands, "_TILED_ROWS", 7)
    np.testing.assert_allclose(tpr_at_fpr(*arguments, fprs=fprs), expected)
    np.testing.assert_allclose(tpr_at_fpr(tracks_of_one_image(arguments[0]), *arguments[1:], fprs=fprs), expected)


def test_features():
    rng = np.random.default_rng(0)
    query_pids, gallery_pids = rng.integers(0, 9, 50), rng.integers(0, 9, 4000)
    centres = rng.standard_normal((9, 8))
    query, gallery = (torch.from_numpy(centres[p] + rng.standard_normal((len(p), 8))) for p in (query_pids, gallery_pids))
    rows = FeatureRows(query, gallery, "euclidean")
    unknown = np.full(50, -1), np.full(4000, -1)
    expected = plain(rows.rows(0, 50).numpy(), query_pids, gallery_pids, *unknown)
    np.testing.assert_allclose(tpr_at_fpr(rows, query_pids, gallery_pids, fprs=FPRS), expected)


def tracks_of_one_image(matrix):
    """Distances that are read by rows only."""
    return TrackRows(DenseRows(matrix), np.arange(matrix.shape[1]), matrix.shape[1])


def test_positive_means_same_identity():
    """Fault B7: FastReID calls different identities positive. Here the nearest half of the matches is nearer than any other."""
    distance = np.array([[0.1, 0.9, 0.5, 0.6], [0.8, 0.2, 0.5, 0.7]], np.float32)
    found = tpr_at_fpr(distance, [0, 1], [0, 0, 1, 1], fprs=(0.0, 0.25, 1.0))
    assert found == (0.25, 0.25, 1.0)


@pytest.mark.parametrize(
    ("gallery_pids", "fprs", "message"),
    [([1, 1], (0.1,), "no positive pair"), ([0, 0], (0.1,), "no negative pair"), ([0, 1], (1.5,), r"\[0, 1\]")],
)
def test_refusals(gallery_pids, fprs, message):
    with pytest.raises(ValueError, match=message):
        tpr_at_fpr(np.zeros((1, 2), np.float32), [0], gallery_pids, fprs=fprs)


def test_nan_is_refused():
    with pytest.raises(ValueError, match="query 0"):
        tpr_at_fpr(np.array([[0, np.nan]], np.float32), [0], [0, 1])
