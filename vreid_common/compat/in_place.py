"""Changing a function itself, so that every name of it, in whatever module, registry or partial, has the change."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

__all__ = ["copy_of", "in_place_of"]


def in_place_of(old: FunctionType) -> Callable[[FunctionType], FunctionType]:
    """Decorator: from now on a call of ``old``, by any of its names, is a call of the decorated function.

    Binding another function to a name would leave the old one where it was imported from there before. ``old`` keeps its
    identity and name (it is pickled as before) and shows the new function's signature.

    Returns ``old`` under the decorated function's name.
    """

    def install(new: FunctionType) -> FunctionType:
        def call(*args: Any, _cure: FunctionType, **kwargs: Any) -> Any:
            return _cure(*args, **kwargs)

        old.__code__ = call.__code__
        old.__defaults__, old.__kwdefaults__ = None, {"_cure": new}
        old.__wrapped__ = new
        return old

    return install


def copy_of(function: FunctionType) -> FunctionType:
    """The function as it is now, which ``in_place_of`` then does not change."""
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
