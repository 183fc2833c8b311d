"""Evaluation on two gloo processes gives what one gives, and a fault ends both."""

import json
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("distributed_worker.py")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, run_workers):
    """(number of processes, rank) → case → outcome."""
    folder = tmp_path_factory.mktemp("gather")
    ranks = [(1, 0), (2, 0), (2, 1)]
    run_workers(WORKER, folder, ranks)
    return {(world, rank): json.loads((folder / f"{world}_{rank}.json").read_text()) for world, rank in ranks}


@pytest.mark.parametrize("case", ["interleaved", "unequal", "empty rank", "empty main"])
def test_two_processes_give_what_one_gives(outcomes, case):
    alone = outcomes[1, 0]["interleaved"]
    assert alone["paths"] == [f"{i}.jpg" for i in range(40)]
    assert {"mAP", "short/mAP"} <= alone["results"].keys()
    assert outcomes[2, 0][case] == alone
    assert outcomes[2, 1][case] == {"results": {}, "paths": []}


@pytest.mark.parametrize(
    ("case", "message"),
    [("double", "Image 0 of the test set was evaluated more than once"), ("not finite", "39.jpg"), ("nothing", "no batch")],
)
def test_a_fault_ends_every_process_with_one_sentence(outcomes, case, message):
    assert message in outcomes[2, 0][case]
    assert outcomes[2, 1][case] == outcomes[2, 0][case]
