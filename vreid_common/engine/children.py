"""Waiting for the child processes of a run, which end together."""

from __future__ import annotations

import pickle
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch.multiprocessing as mp

from vreid_common.engine.interrupt import Forwarder
from vreid_common.errors import RunError

__all__ = ["wait_for_children"]

_POLL_SECONDS = 1.0
_CAUSE_SECONDS = 0.5
"""A process that was killed makes the others fail in the middle of talking to it; one of them may be seen first."""
_SAVING_SECONDS = 60.0
"""How long the others get to end by themselves when one has ended after an interrupt: all have saved by then."""

_PERHAPS = {signal.SIGKILL: ", perhaps because memory ran out", signal.SIGBUS: ", perhaps because /dev/shm is full"}


def wait_for_children(
    context: mp.ProcessContext, interrupts: Forwarder, lost_machine: Callable[[], str | None], first_rank: int, world_size: int
) -> None:
    """Returns when all child processes have ended well; when one has not, the others are killed at once.

    Args:
        context: of torch's ``spawn``.
        interrupts: which this process has got and passed on.
        lost_machine: gives a sentence as soon as another machine of the run is gone.
        first_rank, world_size: the children's numbers in the run.

    Raises:
        RunError: a signal ended one, or another machine is gone.
        SystemExit: one ended with a status, having said why; or 130 or 143 after an interrupt.
        torch.multiprocessing.ProcessRaisedException: one raised an exception.
    """
    children = context.processes
    news = None
    while any(child.exitcode is None for child in children) and not any(child.exitcode for child in children):
        news = lost_machine()
        if news is not None:
            break
        wait([child.sentinel for child in children if child.exitcode is None], timeout=_POLL_SECONDS)
    if any(child.exitcode for child in children):
        interrupted = interrupts.number is not None or any(child.exitcode == 130 for child in children)
        _wait_until_ended(children, _SAVING_SECONDS if interrupted else _CAUSE_SECONDS)
    codes = [child.exitcode for child in children]
    for child in children:
        if child.is_alive():
            child.kill()
        child.join()
    try:
        _raise_what_happened(codes, children, context.error_files, interrupts, first_rank, world_size)
    except mp.ProcessRaisedException as error:
        if interrupts.number is None:
            raise
        print(f"error while stopping: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
    if interrupts.number is not None:
        raise SystemExit(128 + interrupts.number)
    if news is not None:
        raise RunError(f"{news.rstrip('.')}: the processes of this machine were ended.")


def _raise_what_happened(
    codes: Sequence[int | None],
    children: Sequence[BaseProcess],
    error_files: Sequence[str],
    interrupts: Forwarder,
    first_rank: int,
    world_size: int,
) -> None:
    """Of several causes the one that made the others."""
    for index, code in enumerate(codes):
        if code is not None and code < 0 and -code != interrupts.number:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            raise RunError(
                f"Process {first_rank + index} of {world_size} (pid {children[index].pid}) was ended by {name}"
                f"{_PERHAPS.get(-code, '')}; the others were ended too."
            )
    if 2 in codes:
        raise SystemExit(2)
    for index, code in enumerate(codes):
        if code == 1 and Path(error_files[index]).is_file():
            # Written by torch's spawn in the child that we started, into a folder of ours.
            message = pickle.loads(Path(error_files[index]).read_bytes())
            message = f"\n\n-- Process {first_rank + index} terminated with the following error:\n{message}"
            raise mp.ProcessRaisedException(message, index, children[index].pid)
    for code in codes:
        if code is not None and code > 0:
            raise SystemExit(code if interrupts.number is None else 128 + interrupts.number)


def _wait_until_ended(children: Sequence[BaseProcess], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and (alive := [child for child in children if child.exitcode is None]):
        wait([child.sentinel for child in alive], timeout=left)
