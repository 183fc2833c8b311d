"""What a process knows of the others of its run, and what it says when one of them is gone or does not come."""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from datetime import timedelta

import torch.distributed as dist
from fastreid.config import CfgNode

from vreid_common.errors import RunError
from vreid_common.rendezvous import Patience, meet, tell

__all__ = ["DEFAULT_TIMEOUTS", "Peers", "Timeouts", "timeouts_from_config"]

_LOST = re.compile(r"gloo/transport|NCCL|Connection (closed|reset) by peer|Broken pipe")
_LATE = re.compile(r"Timed out waiting|Watchdog caught collective operation timeout|wait timeout")
_LAST_WORDS_SECONDS = 3.0
"""How long processes that gave up wait for the others to say that they gave up too: who does not is the one that hangs."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds; DISTRIBUTED.START_TIMEOUT and DISTRIBUTED.STEP_TIMEOUT, whose defaults these are.

    Attributes:
        start: for all processes to come to the start of the run.
        step: for all processes to come to the same step of it.
    """

    start: float = 300.0
    step: float = 1800.0


def timeouts_from_config(cfg: CfgNode) -> Timeouts:
    """What DISTRIBUTED says."""
    return Timeouts(cfg.DISTRIBUTED.START_TIMEOUT, cfg.DISTRIBUTED.STEP_TIMEOUT)


DEFAULT_TIMEOUTS = Timeouts()


class Peers:
    """The processes of a run, seen by one of them.

    Args:
        store: which they all reach.
        rank: this process's number.
        size: how many there are.
    """

    def __init__(self, store: dist.Store, rank: int, size: int, timeouts: Timeouts) -> None:
        self._store, self._rank, self._size, self._timeouts = store, rank, size, timeouts

    def join(self, backend: str, *, loud: bool) -> None:
        """Makes torch's default group of them, once all are there.

        Args:
            loud: say whom this process waits for.

        Raises:
            InputError: not all come in time.
        """
        self._store.set(f"who/{self._rank}", f"pid {os.getpid()} on {socket.gethostname()}")
        names = [f"process {rank} of {self._size}" for rank in range(self._size)]
        # Those of one machine have to import everything first, which nobody needs to hear of.
        patience = Patience(self._timeouts.start, "DISTRIBUTED.START_TIMEOUT", tell if loud else None, quiet=30.0)
        meet(self._store, "start", self._rank, names, patience)
        dist.init_process_group(
            backend,
            store=dist.PrefixStore("group", self._store),
            rank=self._rank,
            world_size=self._size,
            timeout=timedelta(seconds=self._timeouts.step),
        )

    def explain(self, error: Exception) -> str | None:
        """A sentence where ``error`` comes from a process that is gone, or that did not come to the same step; else None."""
        if not isinstance(error, RuntimeError) or isinstance(error, RunError):
            return None
        message = str(error)
        if _LATE.search(message):
            return (
                f"The processes of the run did not come to the same step within {self._timeouts.step:g} s "
                f"(DISTRIBUTED.STEP_TIMEOUT): {self._who_hangs()}."
            )
        if isinstance(error, dist.DistError) or _LOST.search(message):
            return f"Another process of the run is gone ({message.strip().splitlines()[0]})."
        return None

    def speaks(self) -> bool:
        """True in the first process that asks: of several with the same thing to say, one says it."""
        try:
            return self._store.add("speaker", 1) == 1
        except dist.DistError:  # the process that kept the store is gone
            return True

    def _who_hangs(self) -> str:
        try:
            self._store.set(f"gave up/{self._rank}", "")
            time.sleep(_LAST_WORDS_SECONDS)
            missing = [rank for rank in range(self._size) if not self._store.check([f"gave up/{rank}"])]
            named = [f"process {rank} of {self._size} ({self._store.get(f'who/{rank}').decode()})" for rank in missing[:4]]
        except dist.DistError:
            return "process 0, which kept their addresses, does not answer"
        if not named:
            return "each waited for another, as when they do different things"
        return f"{', '.join(named)}{' and others' if len(missing) > 4 else ''} did not come"
