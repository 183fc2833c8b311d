"""Writing files so that nothing half-written is ever left behind."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_atomically"]


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
