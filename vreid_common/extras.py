"""Packages that an installation may lack: those of the extras in setup.py."""

from __future__ import annotations

import importlib
from types import ModuleType

from vreid_common.errors import InputError

__all__ = ["require_extra"]


def require_extra(extra: str, what: str, *packages: str) -> list[ModuleType]:
    """Imports packages of an extra.

    Args:
        extra: its name in setup.py.
        what: what needs the packages, as the subject of a sentence in the plural.
        packages: what is imported.

    Raises:
        InputError: one is not installed.
    """
    try:
        return [importlib.import_module(package) for package in packages]
    except ImportError as error:
        raise InputError(f"{what} need the package {error.name}: run pip install 'vreid[{extra}]'.") from error
