"""Which vehicles are taken for which, against a loop over the queries."""

from collections import Counter

import pytest

from vreid_common.evaluation import SameCameraExcluded, evaluate_queries
from vreid_common.report.confusions import find_confusions
from vreid_common.report.survey import survey_distances
from vreid_common.structures import DenseRows, FeatureRows


def found_for(sets, distance, most=99):
    query, gallery = sets
    survey = survey_distances(distance, query, gallery, SameCameraExcluded().match_rule(*sets))
    metrics = evaluate_queries(distance, query.pids, gallery.pids, query.camids, gallery.camids)
    return find_confusions(query.pids.numpy(), gallery.pids.numpy(), metrics.first_hit, survey, most), metrics


@pytest.mark.parametrize("ties", [False, True])
def test_against_a_loop(sets, ties):
    query, gallery = sets
    gallery.pids[11] = -1
    distance = FeatureRows(query.features, gallery.features)
    if ties:
        distance = DenseRows((2 * distance.rows(0, 12)).round())
    matrix = distance.rows(0, 12)
    found, metrics = found_for(sets, distance)
    times, gaps = Counter(), {}
    for q in range(12):
        order = sorted(range(60), key=lambda g: (float(matrix[q, g]), g))
        junk = [bool(gallery.pids[g] == query.pids[q] and gallery.camids[g] == query.camids[q]) for g in range(60)]
        order = [g for g in order if not junk[g]]
        match = next((g for g in order if gallery.pids[g] == query.pids[q]), None)
        if match is None or order[0] == match:
            continue
        pair = int(query.pids[q]), int(gallery.pids[order[0]])
        times[pair] += 1
        gap = float(matrix[q, match]) - float(matrix[q, order[0]])
        gaps.setdefault(pair, []).append((gap, q, order[0], match))
    assert {(one.vehicle, one.taken_for): one.times for one in found} == dict(times)
    assert sum(times.values()) > 2
    for one in found:
        largest = max(gap for gap, *_ in gaps[one.vehicle, one.taken_for])
        assert (largest, one.query, one.image, one.match) in gaps[one.vehicle, one.taken_for]
        valid = ((query.pids == one.vehicle).numpy() & (metrics.first_hit >= 0)).sum()
        assert one.num_queries == valid
    assert [one.times for one in found] == sorted((one.times for one in found), reverse=True)
    assert found_for(sets, distance, most=1)[0] == found[:1]


def test_none_where_the_first_image_is_right(make_set):
    sets = make_set("q", 10, 0, noise=0.0), make_set("g", 60, 1, noise=0.0)
    assert found_for(sets, FeatureRows(sets[0].features, sets[1].features))[0] == []
