"""Files of weights, read without running code that they may hold."""

import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import load_file

from vreid_common.errors import InputError

__all__ = ["load_checkpoint_file", "read_checkpoint_header"]

CONTAINERS = ("model", "state_dict", "model_state", "model_state_dict", "net")
"""What programs call the state dict in their checkpoints: FastReID, torchvision's examples, pycls, and others."""


def load_checkpoint_file(path: str) -> dict[str, Any]:
    """Reads a checkpoint (torch's .pth, safetensors, or a pickle of arrays) into ``{"model": ..., ...}`` without running code.

    The state dict may be the file itself or stand under one of the names in ``CONTAINERS``, as other programs write it.

    Raises:
        InputError: the file is damaged, holds objects other than tensors, arrays and plain containers, or holds no weights.
    """
    _check_sums(path)
    try:
        if path.endswith(".safetensors"):
            content: Any = load_file(path)
        elif path.endswith(".pkl"):
            with Path(path).open("rb") as file:
                content = _ArrayUnpickler(file, encoding="latin1").load()
        else:
            with torch.serialization.safe_globals(_numpy_globals()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of bytes that are no checkpoint, the readers raise whatever they run into
        raise InputError(f"{path} {_unreadable(error)}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a checkpoint or a state dict.")
    state = _state_dict(content)
    if state and not any(hasattr(value, "shape") for value in state.values()):
        raise InputError(f"{path} holds no weights: its entries are {', '.join(map(str, list(state)[:8]))}.")
    return {**content, "model": state} if isinstance(content.get("model"), dict) else {"model": state}


def _state_dict(content: dict[str, Any]) -> dict[str, Any]:
    """The innermost dict under the names of ``CONTAINERS``; timm's and DeiT's files, for one, nest two."""
    for name in CONTAINERS:
        if isinstance(content.get(name), dict):
            return _state_dict(content[name])
    return content


def read_checkpoint_header(path: str) -> dict[str, Any]:
    """What stands beside the model's weights in a checkpoint that torch wrote, without reading any tensor; {} of another file.

    Raises:
        InputError: as ``load_checkpoint_file``.
    """
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise InputError(f"{path} {_unreadable(error)}") from error
    return {key: value for key, value in content.items() if key != "model"} if isinstance(content, dict) else {}


def _check_sums(path: str) -> None:
    """Compares what torch's files hold with the CRC-32 that they have of it, which torch itself does not.

    A flipped bit in a weight would otherwise only show as a worse model.

    Raises:
        InputError: something differs.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(entry.CRC for entry in archive.infolist()):
                return  # saved under torch.serialization.set_crc32_options(False)
            damaged = archive.testzip()
    except Exception as error:  # zipfile meets whatever a flipped bit of its own records leads to
        raise InputError(f"{path} {_unreadable(error)}") from error
    if damaged is not None:
        raise InputError(
            f"{path} is damaged: {damaged} in it does not have its checksum. Fetch or copy the file again, or take another one."
        )


def _unreadable(error: Exception) -> str:
    """Why a file is refused; torch's own texts go on to recommend loading it without the check for code."""
    named = re.search(r"(?:GLOBAL |it names )(\S+)", str(error))
    if named:
        return f"holds objects other than tensors ({named[1]}), which are never loaded: they can run code."
    if isinstance(error, PermissionError):
        return "may not be read by this user."
    return "is not a checkpoint, or it is damaged."


def _numpy_globals() -> list[Any]:
    """What torch's weights-only loader must know to read NumPy arrays and scalars, as FastReID's files may hold."""
    reconstruct, scalar = np._core.multiarray._reconstruct, np._core.multiarray.scalar
    # Files written by NumPy 1 name the module numpy.core.
    old_names = [(reconstruct, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    dtypes = [type(np.dtype(name)) for name in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "bool")]
    return [reconstruct, scalar, *old_names, np.ndarray, np.dtype, *dtypes]


class _ArrayUnpickler(pickle.Unpickler):
    """Reads containers, numbers, strings and NumPy arrays; everything else a pickle may name is refused."""

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        **{
            (f"numpy.{core}.multiarray", name): getattr(np._core.multiarray, name)
            for core in ("core", "_core")
            for name in ("_reconstruct", "scalar")
        },
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None
