"""Where a file is written before it gets its name, and the removal of what a killed process has left there."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["discard", "is_alive", "sweep", "workshop_of"]

_HOST = re.sub(r"[^\w.-]", "_", socket.gethostname())[:40]
_WORKSHOP = re.compile(r"\..+\.(?P<process>\d+)(@(?P<host>[\w.-]+))?\.tmp")
_LONGEST_WRITE = 24 * 3600  # seconds, after which a writer of another machine is taken for dead


def workshop_of(path: Path) -> Path:
    """The folder beside ``path`` that this process writes it in; its name says whose it is.

    A folder, as libraries such as safetensors write into files with names of their own beside the one that they are given.
    """
    return path.with_name(f".{path.name[:180]}.{os.getpid()}@{_HOST}.tmp")


def sweep(folder: Path, *, recursive: bool = False, held: bool = False) -> None:
    """Removes what processes that are gone were writing in ``folder``, with ``recursive`` also below it.

    Args:
        folder: where to look.
        recursive: look into its folders too.
        held: this process holds the folder's lock, so nobody else is writing, whatever the names say.
    """
    with suppress(OSError):
        for entry in folder.rglob(".*.tmp") if recursive else folder.glob(".*.tmp"):
            found = _WORKSHOP.fullmatch(entry.name)
            if found and (held or _is_left(entry, int(found["process"]), found["host"])):
                discard(entry)


def discard(entry: Path) -> None:
    """Removes a file, a folder, or a link without following it; where that is not possible, it stays."""
    with suppress(OSError):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_left(entry: Path, process: int, host: str | None) -> bool:
    if host in (None, _HOST):
        return not is_alive(process)
    return time.time() - entry.lstat().st_mtime > _LONGEST_WRITE
