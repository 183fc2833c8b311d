"""Distances counted in blocks equal NumPy's histograms of the whole matrix, and the nearest images those of a loop."""

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.evaluation import SameCameraExcluded, SameCameraKept
from vreid_common.evaluation import rank_list as blocks
from vreid_common.report.survey import survey_distances
from vreid_common.structures import DenseRows, FeatureRows, FeatureSet


def plain(distance, query, gallery, keep_same_camera):
    """Positive and negative distances, and (nearest match, nearest wrong) of each query, pair by pair."""
    positives, negatives, nearest = [], [], []
    for q, row in enumerate(distance):
        match, wrong = (np.inf, -1), (np.inf, -1)
        for g, value in enumerate(row.tolist()):
            if query.pids[q] == gallery.pids[g] and query.pids[q] != -1:
                same_camera = query.camids[q] == gallery.camids[g] and query.camids[q] != -1
                if keep_same_camera or not same_camera:
                    positives.append(value)
                    match = min(match, (value, g))
            else:
                negatives.append(value)
                wrong = min(wrong, (value, g))
        nearest.append((match[1], wrong[1]))
    return positives, negatives, nearest


@pytest.fixture(params=["one block", "a row a block"])
def blocked(request, monkeypatch):
    if request.param == "a row a block":
        monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4)


@pytest.mark.usefixtures("blocked")
@pytest.mark.parametrize("protocol", [SameCameraExcluded(), SameCameraKept()])
@pytest.mark.parametrize("kind", ["features", "ties", "float64", "numpy", "unknown", "one image"])
def test_against_plain_counting(sets, protocol, kind):
    query, gallery = sets
    distance = FeatureRows(query.features, gallery.features, "cosine")
    if kind == "ties":
        distance = DenseRows((distance.rows(0, 12) * 3).round())
    elif kind == "float64":
        distance = DenseRows(distance.rows(0, 12).double() ** 3)
    elif kind == "numpy":
        distance = DenseRows(np.asfortranarray(distance.rows(0, 12).numpy()))
    elif kind == "unknown":
        query.pids[3], query.camids[4], gallery.pids[7], gallery.camids[8] = -1, -1, -1, -1
    elif kind == "one image":
        gallery = gallery.select([5])
        distance = FeatureRows(query.features, gallery.features, "cosine")
    matrix = distance.rows(0, 12).clone()
    # A product of fewer rows may round otherwise, by the processor: the rows that are surveyed are those of the matrix.
    distance = DenseRows(matrix) if isinstance(distance, FeatureRows) else distance
    match = protocol.match_rule(query, gallery)
    found = survey_distances(distance, query, gallery, match, bins=9)
    positives, negatives, nearest = plain(matrix, query, gallery, isinstance(protocol, SameCameraKept))
    assert found.edges[0] == matrix.min()
    assert found.edges[-1] == matrix.max()
    assert found.edges.dtype == matrix.numpy().dtype
    np.testing.assert_array_equal(found.positives, np.histogram(np.array(positives, found.edges.dtype), found.edges)[0])
    np.testing.assert_array_equal(found.negatives, np.histogram(np.array(negatives, found.edges.dtype), found.edges)[0])
    assert list(zip(found.match.images.tolist(), found.wrong.images.tolist(), strict=True)) == nearest
    for side in (found.match, found.wrong):
        expected = [np.inf if g < 0 else float(matrix[q, g]) for q, g in enumerate(side.images)]
        np.testing.assert_array_equal(side.distances, expected)


def test_equal_distances_have_a_bin_of_some_width(sets):
    found = survey_distances(DenseRows(torch.full((12, 60), 2.0)), *sets, SameCameraKept().match_rule(*sets), bins=4)
    np.testing.assert_allclose(found.edges, [1.5, 1.75, 2.0, 2.25, 2.5])
    assert found.positives[2] == found.positives.sum() == 144
    assert found.negatives[2] == found.negatives.sum() == 12 * 60 - 144


def test_cardinality_a_gallery_of_one_vehicle_has_no_negative(sets):
    query = FeatureSet.create(sets[0].features, [1] * 12)
    gallery = FeatureSet.create(sets[1].features, [1] * 60)
    distance = FeatureRows(query.features, gallery.features)
    found = survey_distances(distance, query, gallery, SameCameraExcluded().match_rule(query, gallery))
    assert found.positives.sum() == 720
    assert found.negatives.sum() == 0
    assert set(found.wrong.images.tolist()) == {-1}
    assert np.isinf(found.wrong.distances).all()


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_exception_a_distance_that_is_not_finite(sets, bad):
    matrix = torch.zeros(12, 60)
    matrix[3, 4] = bad
    with pytest.raises(InputError, match="too large to be compared"):
        survey_distances(DenseRows(matrix), *sets, SameCameraKept().match_rule(*sets))
