"""Checks of the numbers that the techniques are called with."""

from __future__ import annotations

import math
import operator

__all__ = ["as_count", "as_exponent", "as_number"]


def as_count(value: int, name: str) -> int:
    """A whole number of at least 1.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is below 1.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a whole number, got {value!r}.") from None
    if count < 1:
        raise ValueError(f"{name} is at least 1, got {count}.")
    return count


def as_exponent(value: float, name: str) -> float:
    """A finite number of at least 0: a negative power of a cosine of 0 would be infinite.

    Raises:
        TypeError: it is no number.
        ValueError: it is negative or not finite.
    """
    exponent = as_number(value, name)
    if not (math.isfinite(exponent) and exponent >= 0):
        raise ValueError(f"{name} is a finite number of at least 0, got {value}.")
    return exponent


def as_number(value: float, name: str) -> float:
    """A float, which is not read from text.

    Raises:
        TypeError: it is no number.
    """
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} is a number, got {value!r}.")
    return float(value)
