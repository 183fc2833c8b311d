"""Typed access to one mapping of a YAML file."""

from __future__ import annotations

from typing import Any

from vreid_common.errors import InputError
from vreid_common.suggestions import did_you_mean

__all__ = ["Fields"]


class Fields:
    """Takes typed keys out of one mapping of the file and refuses what is left over."""

    def __init__(self, value: Any, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected keys and values, got {value!r}.")
        self._values = dict(value)
        self._known: list[str] = []

    def take(self, key: str, types: type | tuple[type, ...], default: Any = None, *, required: bool = False) -> Any:
        self._known.append(key)
        if key not in self._values:
            if required:
                raise InputError(f"{self.where}: the key `{key}` is missing.")
            return default
        value = self._values.pop(key)
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            names = [t.__name__ for t in (types if isinstance(types, tuple) else (types,))]
            raise InputError(f"{self.where}: `{key}` must be {' or '.join(names)}, got {value!r}.")
        return value

    def finish(self) -> None:
        for key in self._values:
            hint = did_you_mean(str(key), self._known, count=1, quote="`") or f"known are {', '.join(self._known)}."
            raise InputError(f"{self.where}: unknown key `{key}`; {hint}")
