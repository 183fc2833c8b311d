"""Parameters of steps as they stand on the command line: ``step.parameter=value`` or ``step.parameter=value,value``."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from vreid_common.errors import InputError

__all__ = ["Key", "by_step", "read_settings"]

Key = tuple[str, str]
"""A step's name and a parameter's."""


def read_settings(option: str, items: Sequence[str], *, several: bool = False) -> dict[Key, list[Any]]:
    """The values given for each parameter, of which there may be ``several``.

    Raises:
        InputError: an item of ``option`` is not as above, or a parameter is there twice.
    """
    settings: dict[Key, list[Any]] = {}
    for item in items:
        name, _, text = item.partition("=")
        step, _, parameter = name.partition(".")
        values = text.split(",") if several else [text]
        if not (step and parameter and all(values)):
            form = "STEP.NAME=VALUE,VALUE" if several else "STEP.NAME=VALUE"
            raise InputError(f"{option} {item}: write {form}, e.g. k_reciprocal.k1={'20,40' if several else '20'}.")
        if (step, parameter) in settings:
            raise InputError(f"{option}: {name} is given twice.")
        settings[step, parameter] = [_value(value) for value in values]
    return settings


def by_step(settings: Mapping[Key, Any]) -> dict[str, dict[str, Any]]:
    """Step → its parameters."""
    parameters: dict[str, dict[str, Any]] = {}
    for (step, parameter), value in settings.items():
        parameters.setdefault(step, {})[parameter] = value
    return parameters


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
