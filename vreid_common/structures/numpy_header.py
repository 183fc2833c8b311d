"""What the headers of a .npy or .npz claim, compared with the size of the file before anything is allocated."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vreid_common.errors import InputError

__all__ = ["check_numpy_headers"]

# Deflate cannot make more than 1,032 bytes of one, and features are hardly compressed at all.
_MAX_RATIO, _LARGE = 200, 256 << 20


def check_numpy_headers(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses arrays that the file cannot hold; reads headers only.

    Args:
        path: a .npy, or a .npz.
        names: the arrays of the .npz that will be read; what else is in it is not looked at.

    Returns:
        The names of all arrays of a .npz; none of a .npy.

    Raises:
        InputError: a header claims more than there is in the file, or a member is compressed beyond all measure.
        ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile: the file is damaged or of another kind.
    """
    if path.suffix == ".npy":
        with path.open("rb") as file:
            _check_header(str(path), file, path.stat().st_size)
        return ()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.removesuffix(".npy") not in names:
                continue
            if info.file_size > _LARGE and info.file_size > _MAX_RATIO * info.compress_size:
                raise InputError(
                    f"{path}: {info.filename} would unpack to {info.file_size:,} bytes out of {info.compress_size:,}, which no "
                    "features do: the file is damaged, or made to fill the memory."
                )
            with archive.open(info) as file:
                _check_header(f"{path}: {info.filename}", file, info.file_size)
        return tuple(name.removesuffix(".npy") for name in archive.namelist())


def _check_header(name: str, file: BinaryIO, size: int) -> None:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"format {version} holds no plain array")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject or any(length < 0 for length in shape):
        raise ValueError(f"{dtype} {shape} is no plain array")
    claimed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if claimed > there:
        raise InputError(f"{name} claims {_say(shape)} of {dtype}, {claimed:,} bytes, but {there:,} follow: it is damaged.")
    if not claimed and shape and shape[0]:
        raise InputError(f"{name} claims {_say(shape)} of {dtype}, which hold nothing: it is damaged.")


def _say(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,} rows" if len(shape) == 1 else " x ".join(f"{length:,}" for length in shape) or "one value"
