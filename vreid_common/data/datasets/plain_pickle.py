"""Pickles of plain values, for data sets whose owners ship nothing else. Reading them runs no code of theirs."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from vreid_common.data.datasets.base import DatasetError

__all__ = ["load_plain_pickle"]

# What NumPy builds arrays and scalars with when it reads its own pickles, in protocols up to 4 and in protocol 5.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.int64(0).__reduce__()[0]
_FROM_BUFFER = np.empty(1).__reduce_ex__(5)[0]
_ARRAY = "ndarray"


def _empty_array(kind: str, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """What a pickled array starts as; its state follows. ``ndarray`` itself, which takes any memory, is given to no pickle."""
    if kind != _ARRAY:
        raise pickle.UnpicklingError(f"an array of the kind {kind!r}")
    return _RECONSTRUCT(np.ndarray, (0,), b"b")


def _dtype(code: str, align: bool = False, copy: bool = True) -> np.dtype:
    """A type of numbers, text or objects, not a record; always a copy, since a pickle goes on to set its state."""
    dtype = np.dtype(code)
    if not isinstance(code, str) or dtype.kind == "V":
        raise pickle.UnpicklingError(f"an array of {code!r}")
    return np.dtype(code, align=False, copy=True)


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in the protocols of Python 2: as text, and a call of ``codecs.encode``."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Empty bytes, which those protocols write as a call of ``bytes``; with an argument it would take any memory."""
    return b""


_CORES = ("numpy.core", "numpy._core")  # before and since NumPy 2
_ALLOWED: dict[tuple[str, str], Any] = {
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (set, frozenset)},
    ("collections", "OrderedDict"): OrderedDict,
    **{(module, "bytes"): _no_bytes for module in ("builtins", "__builtin__")},
    ("_codecs", "encode"): _latin1,
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _dtype,
    **{(f"{core}.multiarray", "_reconstruct"): _empty_array for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _SCALAR for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _FROM_BUFFER for core in _CORES},
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it holds {module}.{name}; only plain containers, numbers, strings and arrays are read"
            )
        return _ALLOWED[module, name]


def load_plain_pickle(path: Path) -> Any:
    """What a pickle holds, if it is made of dicts, lists, tuples, sets, numbers, strings, bytes, None and NumPy arrays alone.

    Python 2's strings become text.

    Raises:
        DatasetError: the file cannot be read, is no pickle, or holds anything else. Nothing in it was run.
    """
    try:
        return _PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise anything, says Python's documentation
        raise DatasetError(f"Cannot read the pickle {path}: {error}.") from error
