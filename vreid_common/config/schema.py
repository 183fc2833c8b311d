"""The schema of all configuration keys: a key's default, meaning and values stand in one place, where it is declared."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastreid.config import CfgNode

from vreid_common.config.constraints import Constraint, OneOf
from vreid_common.config.written import invalid

__all__ = ["UPSTREAM", "Group", "Key", "add_keys", "check_values", "declare", "key_of", "leaves", "like", "meaning_of"]

UPSTREAM = object()
"""In place of a default: FastReID's defaults.py has it."""

_FLAG = OneOf(True, False)


@dataclass(frozen=True)
class Key:
    """A key that holds a value.

    Args:
        name: relative to the group that it is declared in; may have dots.
        default: its value where nobody writes one, whose type is the key's; or ``UPSTREAM``.
        meaning: what it does, in a sentence or two.
        values: what may be written; True or False need not be said.
    """

    name: str
    default: Any
    meaning: str
    values: Constraint = _FLAG


@dataclass(frozen=True, init=False)
class Group:
    """Keys below a common name, and what is to be said of them together."""

    name: str
    meaning: str
    entries: tuple[Key | Group, ...]

    def __init__(self, name: str, meaning: str, *entries: Key | Group) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "meaning", meaning)
        object.__setattr__(self, "entries", entries)


# By dotted name. As with FastReID's registries, what a project declares is known to the whole process.
_KEYS: dict[str, Key] = {}
_MEANINGS: dict[str, str] = {}


def declare(*entries: Key | Group) -> None:
    """Makes keys known."""
    for name, entry in _walk(entries, ""):
        if isinstance(entry, Key):
            _KEYS[name] = entry
        elif entry.meaning:
            _MEANINGS[name] = entry.meaning


def add_keys(cfg: CfgNode, *entries: Key | Group) -> CfgNode:
    """Declares keys and adds them to ``cfg`` with their defaults, in place, and returns it."""
    declare(*entries)
    for name, entry in _walk(entries, ""):
        if isinstance(entry, Group):
            continue
        *groups, last = name.split(".")
        node = cfg
        for group in groups:
            node = node.setdefault(group, CfgNode())
        setattr(node, last, copy.deepcopy(entry.default))
    return cfg


def like(other: str, name: str, default: Any, meaning: str = "") -> Key:
    """A key that takes what a declared one, ``other``, takes, and does the same unless ``meaning`` says otherwise."""
    return Key(name, default, meaning or _KEYS[other].meaning, _KEYS[other].values)


def key_of(name: str) -> Key | None:
    """The declaration of a dotted key; None for one that a project adds as FastReID's do, by an assignment."""
    return _KEYS.get(name)


def meaning_of(group: str) -> str:
    """What was declared of a group; "" if nothing was."""
    return _MEANINGS.get(group, "")


def leaves(cfg: CfgNode, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every key that holds a value."""
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def check_values(cfg: CfgNode, group: str = "") -> None:
    """Tests every declared key of ``cfg``, or of one of its groups, against what may be written.

    Raises:
        InputError: naming the key, the value, where it was written and what to write.
    """
    for name, value in leaves(cfg):
        key = _KEYS.get(name)
        if key is None or not f"{name}.".startswith(f"{group}." if group else ""):
            continue
        problem = key.values.problem(value)
        if problem:
            raise invalid(cfg, name, problem)


def _walk(entries: tuple[Key | Group, ...], prefix: str) -> Iterator[tuple[str, Key | Group]]:
    for entry in entries:
        yield prefix + entry.name, entry
        if isinstance(entry, Group):
            yield from _walk(entry.entries, f"{prefix}{entry.name}.")
