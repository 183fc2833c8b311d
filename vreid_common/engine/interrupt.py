"""Ctrl-C and SIGTERM as a request that the loop answers between two steps, so nothing is saved half-updated."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist
from fastreid.utils import comm

__all__ = ["Forwarder", "Interrupted", "StopRequest", "forward_interrupts", "listen_for_interrupts"]

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Ctrl-C reaches every process of the group, and a child once more from the process that started it: that is one request.
_SAME_REQUEST = 1.0  # seconds


class Interrupted(KeyboardInterrupt):
    """The run was stopped by a signal after its state had been saved."""


class StopRequest:
    """Set by a signal; read by the training loop."""

    def __init__(self) -> None:
        self.received = False
        self.received_at = 0.0

    def agreed(self, device: torch.device) -> bool:
        """True in every process as soon as it is set in one; a collective call where there are several."""
        if comm.get_world_size() == 1:
            return self.received
        flag = torch.tensor(int(self.received), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)


@contextlib.contextmanager
def listen_for_interrupts() -> Iterator[StopRequest]:
    """Turns the first SIGINT or SIGTERM into a ``StopRequest``; one that comes a second later ends the process."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def on_signal(number: int, _frame: object) -> None:
        if request.received:
            if time.monotonic() - request.received_at < _SAME_REQUEST:
                return
            raise KeyboardInterrupt
        request.received, request.received_at = True, time.monotonic()
        logger.info(
            "%s: stopping after the current steps; once more ends at once, without saving.", signal.Signals(number).name
        )

    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Forwarder:
    """Passes the signals that a process gets on to the child processes that do its work.

    ``number`` is the last signal that came, None before one did.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._children: Sequence[BaseProcess] = ()

    def forward_to(self, children: Sequence[BaseProcess]) -> None:
        """Names the children; they get at once what came before they were there."""
        self._children = children
        if self.number is not None:
            self._send(self.number)

    def on_signal(self, number: int, _frame: object) -> None:
        self.number = number
        self._send(number)

    def _send(self, number: int) -> None:
        for child in self._children:
            if child.is_alive() and child.pid is not None:
                os.kill(child.pid, number)


@contextlib.contextmanager
def forward_interrupts() -> Iterator[Forwarder]:
    """Makes this process outlive SIGINT and SIGTERM and pass them on, so that its children save and end by themselves."""
    forwarder = Forwarder()
    previous = {number: signal.signal(number, forwarder.on_signal) for number in _SIGNALS}
    try:
        yield forwarder
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
