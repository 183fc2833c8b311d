"""Names that Python and PyTorch had when FastReID was written (A1, A2)."""

import collections
import collections.abc
import math
import sys
import types
import warnings

import torch

__all__ = ["let_it_import"]

_SIX = {
    "string_classes": (str, bytes),
    "int_classes": int,
    "container_abcs": collections.abc,
    "inf": math.inf,
    "nan": math.nan,
}
"""What ``torch._six`` held; FastReID's checkouts and projects import one or the other."""


def let_it_import() -> None:
    """A1, A2: `from collections import Mapping` and `torch._six`, both gone since FastReID's last release."""
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    six = sys.modules.setdefault("torch._six", types.ModuleType("torch._six"))
    for name, value in _SIX.items():
        if not hasattr(six, name):
            setattr(six, name, value)
    torch._six = six
    with warnings.catch_warnings():
        # "Cython rank evaluation is unavailable": evaluation is ours, nothing is lost.
        warnings.filterwarnings("ignore", message=".*[Cc]ython.*")
        import fastreid.engine
        import fastreid.evaluation.rank  # noqa: F401
