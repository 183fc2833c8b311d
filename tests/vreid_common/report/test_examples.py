"""Which queries are shown."""

import numpy as np
import pytest

from vreid_common.report.examples import choose_examples


def test_best_worst_and_others():
    ap = np.array([0.5, 0.9, np.nan, 0.9, 0.1, 0.3, 0.2, 0.7, 0.8, 0.4])
    found = choose_examples(ap, 2, seed=0)
    assert found["best"] == [1, 3]
    assert found["worst"] == [4, 6]
    assert len(found["random"]) == 2
    assert not set(found["random"]) & {1, 3, 4, 6}
    assert found == choose_examples(ap, 2, seed=0)
    drawn = {tuple(choose_examples(ap, 2, seed)["random"]) for seed in range(20)}
    assert len(drawn) > 3
    assert any(2 in rows for rows in drawn), "a query without a match may be among the random ones"


@pytest.mark.parametrize(("size", "counts"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 2, 0)), (9, (3, 3, 3))])
def test_cardinality_few_queries_are_shared_and_none_is_shown_twice(size, counts):
    found = choose_examples(np.linspace(0, 1, size), 6, seed=0)
    assert tuple(map(len, found.values())) == counts
    assert sorted(row for rows in found.values() for row in rows) == list(range(size))


def test_without_any_precision_all_are_random():
    found = choose_examples(np.full(30, np.nan), 6, seed=3)
    assert (found["best"], found["worst"], len(set(found["random"]))) == ([], [], 6)
