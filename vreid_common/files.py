"""Writing files so that nothing half-written is ever left behind."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from vreid_common.errors import InputError
from vreid_common.leavings import discard, sweep, workshop_of

__all__ = [
    "WriteError",
    "check_writable",
    "describe_bytes",
    "file_sha256",
    "free_bytes",
    "open_lock",
    "reason_of",
    "write_atomically",
    "write_json",
]


_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_DISKS = (*_FULL, errno.EROFS, errno.EIO, errno.EFBIG)


_swept: set[Path] = set()


class WriteError(OSError):
    """A file could not be written. Its text is one sentence that names the file and the reason, which is ``strerror``."""

    def __str__(self) -> str:
        return f"{self.filename} cannot be written: {self.strerror}."


def write_atomically(path: Path, write: Callable[[Path], object], size: int | None = None) -> None:
    """Calls ``write(temporary_path)`` and renames the result to ``path``: a reader sees the old file or the whole new one.

    The temporary file is there when ``write`` is called, empty and with the permissions that new files get here. What a killed
    process was writing in the same folder is removed when this process first writes there.

    Args:
        path: the file.
        write: writes its content.
        size: about how many bytes that is, for what is said of a full disk; None where it is not known.

    Raises:
        WriteError: the disk is full or read-only, or there is no right to write or no such folder.
    """
    workshop = workshop_of(path)
    temporary = workshop / path.name
    if path.parent not in _swept:
        _swept.add(path.parent)
        sweep(path.parent)
    try:
        try:
            discard(workshop)  # a link of this name would have another file written
            workshop.mkdir()
            temporary.touch()
            mode = temporary.stat().st_mode
            write(temporary)
            temporary.chmod(mode)  # safetensors writes a file of its own that nobody else may read
            temporary.replace(path)
        except Exception as error:
            reason = _disk_failure(error, temporary)
            if reason is None:
                raise
            raise WriteError(reason.errno, reason_of(reason, path, size, _bytes_in(workshop)), str(path)) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def reason_of(error: OSError, path: str | os.PathLike[str], size: int | None = None, written: int = 0) -> str:
    """Why ``path`` cannot be read or written; of a full disk the room that there is, and is needed where ``size`` tells.

    The room is what is free when the ``written`` bytes, which are about to be removed, are gone.
    """
    if error.errno in _FULL:
        needed = f", {describe_bytes(size)} are needed" if size else ""
        return f"no room is left on the disk ({describe_bytes(free_bytes(path) + written)} are free{needed})"
    reason = error.strerror or str(error) or type(error).__name__
    return reason[0].lower() + reason[1:]


def describe_bytes(size: float) -> str:
    """``1234567`` as ``1.2 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def free_bytes(path: str | os.PathLike[str]) -> int:
    """The room on the disk of ``path``, or of the first folder above it that is there."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def open_lock(path: Path) -> IO[str]:
    """Opens a file to be locked, which is made where it is not there and keeps what it holds.

    Raises:
        InputError: it is a link, which a folder from somebody else may hold.
        OSError: it cannot be opened.
    """
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "r+")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{path} is a link: remove it, as a lock's file is none.") from error
        raise


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bytes_in(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return 0


def _disk_failure(error: Exception, temporary: Path) -> OSError | None:
    """What the disk has to do with a failed write, which torch and safetensors tell in exceptions of their own."""
    if isinstance(error, OSError):
        ours = (
            error.errno in _OF_DISKS
            if error.filename is None
            else os.fsdecode(error.filename) in (str(temporary), str(temporary.parent))
        )
        return error if ours else None
    if isinstance(error, InputError):
        return None
    try:
        with temporary.open("ab") as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as reason:
        return reason
    return None


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes ``content`` as JSON, which commands do for ``--json``."""
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(Path(path), lambda temporary: temporary.write_text(text, encoding="utf-8"))


def check_writable(*paths: str | os.PathLike[str] | None) -> None:
    """Finds out before the work that a result cannot be written; None is no result.

    Raises:
        InputError: a path is a folder, or lies in one that is not there.
    """
    for path in (Path(path) for path in paths if path):
        if path.is_dir():
            raise InputError(f"{path} cannot be written: it is a folder.")
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
