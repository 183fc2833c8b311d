"""Work shared among threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from vreid_common.threads import run_threads


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("tasks", [0, 1, 2, 50])
def test_every_number_is_drawn_once(tasks):
    drawn, workers = [], set()

    def work(numbers):
        workers.add(threading.get_ident())
        assert torch.get_num_threads() == 1
        for number in numbers:
            drawn.append(number)
            time.sleep(0.001)

    run_threads(work, tasks)
    assert sorted(drawn) == list(range(tasks))
    assert len(workers) <= min(3, tasks)


def test_torch_has_its_threads_afterwards():
    """Here, and in threads that start later: what a thread sets is also what new ones begin with."""
    run_threads(list, 3)
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3


def test_an_error_stops_all_and_is_raised():
    seen = []

    def work(numbers):
        for number in numbers:
            seen.append(number)
            if number == 5:
                raise KeyError("the work's own error")
            time.sleep(0.01)

    with pytest.raises(KeyError, match="the work's own error"):
        run_threads(work, 10_000)
    assert len(seen) < 20
    assert torch.get_num_threads() == 3
