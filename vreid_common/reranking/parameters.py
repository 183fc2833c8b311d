"""Checks of the numbers that the techniques are called with."""

from __future__ import annotations

import math
import operator

__all__ = ["as_count", "as_exponent"]


def as_count(value: int, name: str) -> int:
    """A whole number of at least 1.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is below 1.
    """
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a whole number, got {value!r}.") from None
    if count < 1:
        raise ValueError(f"{name} is at least 1, got {count}.")
    return count


def as_exponent(value: float, name: str) -> float:
    """A finite number of at least 0: a negative power of a cosine of 0 would be infinite.

    Raises:
        ValueError: it is negative or not finite.
    """
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is a finite number of at least 0, got {value}.")
    return float(value)
