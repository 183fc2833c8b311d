"""What the machines of a run tell each other while their processes work: that they are there, and that one has failed."""

from __future__ import annotations

import threading
import time

import torch.distributed as dist

from vreid_common.errors import InputError
from vreid_common.rendezvous import Address, Patience, find_store, keep_store, meet, tell

__all__ = ["Machines"]

_PULSE_SECONDS = 2.0
_SILENCE_SECONDS = 60.0
"""Silence after which a machine counts as gone. Launchers do nothing but wait, so they are never busy for that long."""


class Machines:
    """The machines of a run, seen by the launcher of one of them, once all of them are there.

    Machine 0 keeps the store at which all processes meet. Where there are several machines, each says every other second that
    it is alive, so that the death of a process, of a launcher or of a machine is known everywhere within seconds, whatever the
    processes are busy with.

    Args:
        count: how many take part.
        rank: which one this is.
        processes: processes on each.
        address: of the store; None takes a free port of this machine.
        seconds: to wait for the others.

    Raises:
        InputError: the address cannot be used, a machine does not come in time, or one was started with other numbers.
    """

    def __init__(self, count: int, rank: int, processes: int, address: Address | None, seconds: float) -> None:
        self._count, self._rank = count, rank
        self._lost: str | None = None
        self._ended = threading.Event()
        patience = Patience(seconds, "DISTRIBUTED.START_TIMEOUT", tell)
        self._kept = keep_store(address.port if address else 0) if rank == 0 else None
        self.address = address or Address("127.0.0.1", self._kept.port)
        if address is None:
            self._store: dist.TCPStore = self._kept
        else:
            # Machine 0 too: an address that it does not reach itself is not its own.
            self._store = find_store(address, "this machine, which is machine 0," if rank == 0 else "machine 0", patience)
        if count > 1:
            self._store.set(f"processes/{rank}", str(processes))
            meet(self._store, "machines", rank, [f"machine {number} of {count}" for number in range(count)], patience)
            first = int(self._store.get("processes/0"))
            if first != processes:
                self.leave(failure=f"machine {rank} was started with another --num-gpus.")
                raise InputError(f"--num-gpus is {processes} here and {first} on machine 0: all machines take the same.")
            # A connection of its own: a store's calls block, and this thread calls it too.
            connection = find_store(self.address, "machine 0", patience)
            self._thread = threading.Thread(target=self._watch, args=(connection,), name="machines", daemon=True)
            self._thread.start()

    @property
    def lost(self) -> str | None:
        """A sentence as soon as another machine is gone or has failed."""
        return self._lost

    def leave(self, failure: str | None = None) -> None:
        """Ends this machine's part; machine 0 waits for the others, who need its store.

        Args:
            failure: what the others have to be told, who then end too.
        """
        if self._count == 1:
            return
        self._ended.set()
        try:
            if failure is not None and self._lost is None:
                self._store.set("failure", f"Machine {self._rank} has failed: {failure}")
            self._store.set(f"left/{self._rank}", "")
            deadline = time.monotonic() + _SILENCE_SECONDS
            while self._rank == 0 and time.monotonic() < deadline and not all(map(self._has_left, range(self._count))):
                time.sleep(0.2)
        except dist.DistError:
            pass  # machine 0 is gone: nobody is left to tell

    def _has_left(self, rank: int) -> bool:
        return self._store.check([f"left/{rank}"])

    def _watch(self, store: dist.TCPStore) -> None:
        pulses = dict.fromkeys(range(self._count), (b"", time.monotonic()))
        beat = 0
        try:
            while not self._ended.wait(_PULSE_SECONDS):
                beat += 1
                store.set(f"pulse/{self._rank}", str(beat))
                if store.check(["failure"]):
                    self._lost = store.get("failure").decode()
                    return
                now = time.monotonic()
                for other in set(pulses) - {self._rank}:
                    pulse = store.get(f"pulse/{other}") if store.check([f"pulse/{other}"]) else b""
                    if pulse != pulses[other][0] or store.check([f"left/{other}"]):
                        pulses[other] = pulse, now
                    elif now - pulses[other][1] > _SILENCE_SECONDS:
                        self._lost = f"Machine {other} has not answered for {_SILENCE_SECONDS:g} s."
                        return
        except dist.DistError:
            if not self._ended.is_set():
                self._lost = f"Machine 0, which is at {self.address}, is gone."
