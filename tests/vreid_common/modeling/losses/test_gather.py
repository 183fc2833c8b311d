"""Two gloo processes with half of the batch each give the loss and the gradients of one process with all of it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vreid_common.modeling import gather_batch

WORKER = Path(__file__).with_name("gather_worker.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(number of processes, rank) → what that process found."""
    folder = tmp_path_factory.mktemp("gather")
    ranks = [(1, 0), (2, 0), (2, 1)]
    processes = [
        subprocess.Popen([sys.executable, WORKER, str(rank), str(world), folder], stderr=subprocess.PIPE, text=True)
        for world, rank in ranks
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    return {(world, rank): torch.load(folder / f"{world}_{rank}.pt", weights_only=True) for world, rank in ranks}


@pytest.mark.parametrize("rank", [0, 1])
def test_loss_and_gradients_are_those_of_the_whole_batch(found, rank):
    whole, shared = found[1, 0], found[2, rank]
    torch.testing.assert_close(shared["loss"], whole["loss"])
    for ours, expected in zip(shared["gradients"], whole["gradients"], strict=True):
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(ours, expected)


def test_one_process_keeps_its_rows():
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather_batch(rows) is rows
