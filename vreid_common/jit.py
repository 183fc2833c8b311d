"""Compiling hot loops with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """A decorator that compiles when first called, and keeps the machine code for the next process where it can.

    The function runs without the interpreter's lock, so threads of a pool run it side by side.

    Args:
        options: further ones of ``numba.njit``.
    """

    def compile_(function: Function) -> Function:
        try:
            return numba.njit(function, nogil=True, cache=True, **options)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written, as in some containers
            return numba.njit(function, nogil=True, **options)

    return compile_
