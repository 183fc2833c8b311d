"""Writing files so that nothing half-written is ever left behind."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vreid_common.errors import InputError

__all__ = ["check_writable", "file_sha256", "write_atomically", "write_json"]


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Calls ``write(temporary_path)`` and renames the result to ``path``: a reader sees the old file or the whole new one.

    The temporary file is there when ``write`` is called, empty and with the permissions that new files get here.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)  # safetensors writes a file of its own that nobody else may read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
