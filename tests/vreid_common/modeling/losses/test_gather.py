"""Two gloo processes with half of the batch each give the loss and the gradients of one process with all of it."""

import importlib.util
from pathlib import Path

import pytest
import torch

from vreid_common.modeling import gather_batch

WORKER = Path(__file__).with_name("gather_worker.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory, run_workers):
    """What each of the two processes found."""
    folder = tmp_path_factory.mktemp("gather")
    run_workers(WORKER, folder, [(2, 0), (2, 1)])
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.fixture(scope="module")
def whole():
    """What one process finds."""
    spec = importlib.util.spec_from_file_location("gather_worker", WORKER)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    return worker.measure()


@pytest.mark.parametrize("rank", [0, 1])
def test_loss_and_gradients_are_those_of_the_whole_batch(found, whole, rank):
    assert found[rank].keys() == whole.keys() == {"loss", "weight", "bias"}
    assert whole["weight"].abs().max() > 1e-3
    for name, expected in whole.items():
        torch.testing.assert_close(found[rank][name], expected)


def test_one_process_keeps_its_rows():
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather_batch(rows) is rows
