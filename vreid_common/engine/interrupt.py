"""Ctrl-C and SIGTERM as a request that the loop answers between two steps, so nothing is saved half-updated."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator

import torch
import torch.distributed as dist
from fastreid.utils import comm

__all__ = ["Interrupted", "StopRequest", "listen_for_interrupts"]

logger = logging.getLogger(__name__)


class Interrupted(KeyboardInterrupt):
    """The run was stopped by a signal after its state had been saved."""


class StopRequest:
    """Set by a signal; read by the training loop."""

    def __init__(self) -> None:
        self.received = False

    def agreed(self, device: torch.device) -> bool:
        """True in every process as soon as it is set in one; a collective call where there are several."""
        if comm.get_world_size() == 1:
            return self.received
        flag = torch.tensor(int(self.received), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)


@contextlib.contextmanager
def listen_for_interrupts() -> Iterator[StopRequest]:
    """Turns the first SIGINT or SIGTERM into a ``StopRequest``; the second one ends the process at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def on_signal(number: int, _frame: object) -> None:
        if request.received:
            raise KeyboardInterrupt
        request.received = True
        logger.info("%s: saving after the current steps; once more ends at once, without saving.", signal.Signals(number).name)

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
