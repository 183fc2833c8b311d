"""mAP from group to group equals plain loops over queries."""

import numpy as np
import pytest
import torch

from vreid_common.evaluation import SameCameraExcluded
from vreid_common.evaluation.metrics import evaluate_rules
from vreid_common.report.groups import Grouping
from vreid_common.structures import FeatureRows


def table_of(sets, name, most, distance):
    query, gallery = sets
    grouping = Grouping(getattr(query, name).numpy(), getattr(gallery, name).numpy(), most)
    rules = {str(label): rule for label, rule in grouping.rules(SameCameraExcluded().match_rule(*sets)).items()}
    found = evaluate_rules(distance, query.pids.numpy(), gallery.pids.numpy(), rules) if rules else {}
    return grouping.table({label: found[str(label)] for label in grouping.columns})


@pytest.mark.parametrize("name", ["camids", "view_ids"])
def test_against_plain_loops(sets, plain_ap, name):
    query, gallery = sets
    getattr(gallery, name)[5] = -1
    distance = FeatureRows(query.features, gallery.features)
    matrix = distance.rows(0, len(query)).numpy()
    found = table_of(sets, name, 9, distance)
    assert found.left_out == (0, 0)
    own, others = getattr(query, name), getattr(gallery, name)
    assert found.rows == tuple(sorted(set(own.tolist())))
    assert found.columns == tuple(sorted(set(others.tolist()) - {-1}))
    for row, group in enumerate(found.rows):
        for column, other in enumerate(found.columns):
            values = []
            for q in np.flatnonzero(own == group):
                same = (gallery.pids == query.pids[q]).numpy()
                counted = same & (gallery.camids != query.camids[q]).numpy() & (others == other).numpy()
                values.append(plain_ap(matrix[q], counted, same & ~counted))
            values = [value for value in values if not np.isnan(value)]
            assert found.num_queries[row, column] == len(values)
            assert found.mAP[row, column] == (pytest.approx(np.mean(values)) if values else pytest.approx(np.nan, nan_ok=True))


def test_only_the_largest_groups_are_shown_in_rising_order(sets):
    sets[0].camids[:] = 7
    sets[1].camids[:] = torch.tensor([3, 9, 1, 5]).repeat_interleave(torch.tensor([10, 20, 25, 5]))
    found = table_of(sets, "camids", 2, FeatureRows(sets[0].features, sets[1].features))
    assert (found.rows, found.columns, found.left_out) == ((7,), (1, 9), (0, 2))


def test_unknown_groups_have_no_table(sets):
    sets[0].view_ids[:] = -1
    assert table_of(sets, "view_ids", 3, FeatureRows(sets[0].features, sets[1].features)) is None
