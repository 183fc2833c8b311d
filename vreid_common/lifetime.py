"""Child processes that end when the process that started them is gone, whatever ended it (SIGKILL too)."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["end_with_parent", "end_with_torchrun", "ended_with_us"]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_POLL_SECONDS = 1.0

# Linux sends the parent-death signal when the *thread* that forked has ended. Set in the parent, just before it forks.
_forked_by_main_thread = True


def _before_fork() -> None:
    global _forked_by_main_thread
    _forked_by_main_thread = threading.current_thread() is threading.main_thread()


os.register_at_fork(before=_before_fork)


def end_with_parent() -> None:
    """Called in a process that multiprocessing has started: has it killed as soon as its parent is gone.

    A child cannot do its work without its parent, and one that is busy, or waits for a message, would never notice. On Linux
    the kernel does it; elsewhere, or where a thread that may end before the parent has started the child, a thread watches.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        _follow(parent.pid, lambda: not parent.is_alive())


def end_with_torchrun() -> None:
    """Has this process killed as soon as torchrun is gone; does nothing where it is not torchrun that has started it."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        started_by = os.getppid()
        _follow(started_by, lambda: os.getppid() != started_by)


def ended_with_us(number: signal.Signals) -> Callable[[], None] | None:
    """``preexec_fn`` for a program that we start: it gets signal ``number`` when we are gone (Linux; None elsewhere).

    To be used in the main thread.
    """
    if _LIBC is None:
        return None
    parent = os.getpid()

    def before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it ended before the signal was asked for
            os.kill(os.getpid(), number)

    return before_exec


def _follow(parent: int, is_gone: Callable[[], bool]) -> None:
    direct = os.getppid() == parent  # not so where multiprocessing's fork server stands between the two
    if direct and _forked_by_main_thread and _LIBC is not None and _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)) == 0:
        if os.getppid() != parent:  # it ended before the signal was asked for
            os.kill(os.getpid(), signal.SIGKILL)
        return
    if not direct and is_gone():
        os.kill(os.getpid(), signal.SIGKILL)

    def watch() -> None:
        while not (os.getppid() != parent if direct else is_gone()):
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
