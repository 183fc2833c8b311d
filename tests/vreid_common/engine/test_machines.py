"""Launchers of several machines, here threads of one process, which hear of each other's failures."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from vreid_common.engine import machines as module
from vreid_common.engine.machines import Machines
from vreid_common.errors import InputError
from vreid_common.rendezvous import Address


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Address:
    monkeypatch.setattr(module, "_PULSE_SECONDS", 0.05)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", server.getsockname()[1])


def two(address: Address, processes: tuple[int, int] = (2, 2)) -> list[Machines]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rank: Machines(2, rank, processes[rank], address, 60.0), range(2)))


def wait_for(what: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (found := what()) is not None:
            return found
        time.sleep(0.02)
    raise TimeoutError


def test_one_that_fails_is_heard_of_by_the_others(address: Address):
    zero, one = two(address)
    assert (zero.lost, one.lost) == (None, None)
    one.leave("Process 3 of 4 (pid 7) was ended by SIGKILL.")
    assert wait_for(lambda: zero.lost) == "Machine 1 has failed: Process 3 of 4 (pid 7) was ended by SIGKILL."
    zero.leave("it is told so")


def test_machines_that_end_well_leave_in_any_order(address: Address):
    zero, one = two(address)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(zero.leave)  # machine 0 keeps the store until the others have left
        time.sleep(0.3)
        assert not waiting.done()
        one.leave()
        waiting.result(60)
    assert (zero.lost, one.lost) == (None, None)


def test_a_machine_that_falls_silent_counts_as_gone(address: Address, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_SILENCE_SECONDS", 1.0)
    zero, one = two(address)
    one._ended.set()  # as when its power fails: nothing is said any more
    assert wait_for(lambda: zero.lost) == "Machine 1 has not answered for 1 s."


def test_machine_0_takes_its_store_with_it(address: Address):
    zero, one = two(address)
    zero._ended.set()
    zero._thread.join(60)
    zero._kept = zero._store = None
    assert wait_for(lambda: one.lost) == f"Machine 0, which is at {address}, is gone."


def test_a_machine_that_does_not_come_is_named(address: Address, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(InputError, match="Waited 0.5 s .*START_TIMEOUT. for machine 1 of 3, machine 2 of 3, in vain"):
        Machines(3, 0, 2, address, 0.5)
    assert "Waiting for machine 1 of 3, machine 2 of 3, until " in capfd.readouterr().err


def test_machines_with_other_numbers_of_processes_are_refused(address: Address):
    with pytest.raises(InputError, match="--num-gpus is 4 here and 2 on machine 0"):
        two(address, processes=(2, 4))
