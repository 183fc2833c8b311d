"""Queries shared among two gloo processes: every process gets the numbers of one, to the last bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from vreid_common.evaluation.places import NotANumber
from vreid_common.evaluation.sharding import Shards

WORKER = Path(__file__).with_name("shared_worker.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory, run_workers):
    """(number of processes, rank) → what that process found."""
    folder = tmp_path_factory.mktemp("sharding")
    ranks = [(1, 0), (2, 0), (2, 1)]
    run_workers(WORKER, folder, ranks)
    return {(world, rank): json.loads((folder / f"{world}_{rank}.json").read_text()) for world, rank in ranks}


@pytest.mark.parametrize("case", ["queries", "metrics", "tpr", "float64", "one query"])
def test_two_processes_give_what_one_gives(found, case):
    assert found[1, 0][case]
    assert found[2, 0][case] == found[1, 0][case]
    assert found[2, 1][case] == found[1, 0][case]


@pytest.mark.parametrize("case", ["ranking with NaN", "verification with NaN"])
def test_a_fault_ends_every_process_with_one_sentence(found, case):
    """Query 3 is the first process's; the second one's query 30 is NaN too."""
    assert all(outcome[case] == "The distance of query 3 to a gallery image is not a number." for outcome in found.values())


def test_without_a_group_this_process_has_all():
    shards = Shards(None)
    assert shards.share(7) == range(7)
    numbers = np.arange(3)
    np.testing.assert_array_equal(shards.join(numbers), numbers)
    np.testing.assert_array_equal(shards.add(numbers), numbers)
    with pytest.raises(NotANumber, match="query 5"), shards.in_agreement():
        raise NotANumber(5)
