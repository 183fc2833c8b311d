"""A folder that one process at a time writes into."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.files import open_lock
from vreid_common.leavings import sweep

__all__ = ["locked"]

_LOCK = ".lock"
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_logger = logging.getLogger(__name__)
_held: set[int] = set()


@contextmanager
def locked(folder: Path, busy: str | None = None) -> Iterator[None]:
    """Holds the folder's lock, which the system frees when the process ends, however it ends. Its file goes with the holder.

    What dead processes were writing in the folder is removed.

    Args:
        folder: is there.
        busy: what is said where another process holds the lock; None waits for it.

    Raises:
        InputError: ``busy``, with the number of the other process.
        OSError: the folder cannot be written to.
    """
    path = folder / _LOCK
    file = _take(path, busy)
    _held.add(file)
    try:
        sweep(folder)
        yield
    finally:
        if file in _held:  # not in a forked process
            _held.remove(file)
            with suppress(OSError):
                path.unlink(missing_ok=True)  # while we hold it, so that it is ours
            os.close(file)


def _take(path: Path, busy: str | None) -> int:
    while True:
        with open_lock(path) as opened:
            file = os.dup(opened.fileno())
        try:
            _lock(file, path, busy)
            if _is_open_as(path, file):
                os.ftruncate(file, 0)
                os.pwrite(file, f"{os.getpid()} on {socket.gethostname()}".encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the process that we waited for removed this file: others would lock a new one


def _lock(file: int, path: Path, busy: str | None) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 200, 0).decode(errors="replace").strip()
        if busy is not None:
            raise InputError(f"{busy} (process {holder or 'unknown'}): wait for it, or end it.") from None
        _logger.info("Another process is writing into %s: waiting for it.", path.parent)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _logger.warning("The disk of %s has no locks: let no other process write there.", path.parent)


def _is_open_as(path: Path, file: int) -> bool:
    """Whether an open file is the one that has its name now."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _leave_to_parent() -> None:
    """A forked process, such as a loader's worker, would otherwise hold the lock for as long as it outlives its parent."""
    for file in _held:
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
