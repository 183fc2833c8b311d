"""A folder that one process at a time writes into."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vreid_common.files import open_lock

__all__ = ["locked"]

_LOCK = ".lock"

_logger = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system frees when the process ends, however it ends. Its file goes with the holder."""
    path = folder / _LOCK
    while True:
        with open_lock(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _logger.info("Another process is writing into %s: waiting for it.", folder)
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_open_as(path, file):
                continue  # the process that we waited for removed this file: others would lock a new one
            try:
                yield
            finally:
                path.unlink(missing_ok=True)  # while we hold it, so that it is ours
            return


def _is_open_as(path: Path, file: IO) -> bool:
    """Whether an open file is the one that has its name now."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
