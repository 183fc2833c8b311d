"""Writing files' and command lines' values into a configuration, and saying in a sentence what is wrong with them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from fastreid.config import CfgNode

from vreid_common.config.schema import leaves
from vreid_common.config.written import COMMAND_LINE, note, shown
from vreid_common.config.yaml_file import GROUP, Assignment, read_assignments
from vreid_common.errors import InputError
from vreid_common.suggestions import did_you_mean

__all__ = ["UnknownKeyError", "merge_file", "merge_pairs"]

_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


class UnknownKeyError(InputError):
    """The configuration has a ``key`` that neither vreid_common nor the project knows."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


def merge_file(cfg: CfgNode, file: str) -> None:
    """Sets the keys that a YAML file, and the files that its ``_BASE_`` names, assign, in place.

    Raises:
        UnknownKeyError: naming the nearest known key.
        InputError: what ``read_assignments`` refuses; null; a value of the wrong type.
    """
    for assignment in read_assignments(file):
        _assign(cfg, assignment)


def merge_pairs(cfg: CfgNode, pairs: Sequence[Any], where: str = COMMAND_LINE) -> None:
    """Sets KEY VALUE pairs, in place; texts are read as Python's literals where they are some.

    Raises:
        UnknownKeyError: naming the nearest known key.
        InputError: a key without a value; null; a value of the wrong type.
    """
    if len(pairs) % 2:
        raise InputError(
            f"{where}: options come as KEY VALUE pairs, but {pairs[-1]!r} has no partner in {' '.join(map(str, pairs))!r}."
        )
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        _assign(cfg, Assignment(str(key), value, where))


def _assign(cfg: CfgNode, assignment: Assignment) -> None:
    key, value, where = assignment
    if cfg.key_is_deprecated(key):
        return
    if cfg.key_is_renamed(key):
        new = cfg.__dict__[CfgNode.RENAMED_KEYS][key]
        raise InputError(f"{where}: {key} is called {' now: '.join(new) if isinstance(new, tuple) else new} now.")
    *groups, name = key.split(".")
    node: Any = cfg
    for depth, group in enumerate(groups, start=1):
        if group not in node:
            if not node.is_new_allowed():
                raise _unknown(cfg, key, where)
            node[group] = CfgNode(new_allowed=True)
        node = node[group]
        if not isinstance(node, CfgNode):
            above = ".".join(groups[:depth])
            raise UnknownKeyError(
                f"{where}: unknown key {key}: {above} holds a value, {shown(node)}, and no further keys.", key
            )
    if name not in node:
        if not node.is_new_allowed():
            raise _unknown(cfg, key, where)
        node[name] = CfgNode(new_allowed=True) if value is GROUP else _decoded(value)
    elif isinstance(node[name], CfgNode) or value is GROUP:
        _check_group(node[name], assignment)
    else:
        node[name] = _fitted(node[name], assignment)
        note(cfg, key, node[name], where)


def _check_group(present: Any, assignment: Assignment) -> None:
    key, value, where = assignment
    if isinstance(present, CfgNode) and value is None:
        raise InputError(f"{where}: {key} is a group of keys without any here: write some below it, or leave it out.")
    if isinstance(present, CfgNode) and value is not GROUP:
        names = ", ".join(f"{key}.{name}" for name in present)
        raise InputError(f"{where}: {key} is a group of keys and takes no value; got {shown(value)}. Its keys are {names}.")
    if not isinstance(present, CfgNode):
        raise UnknownKeyError(f"{where}: {key} holds a value, such as {shown(present)}, and no further keys.", key)


def _fitted(default: Any, assignment: Assignment) -> Any:
    """The value in the type of what it replaces; a number without a point is one with a point too, a tuple is a list."""
    key, given, where = assignment
    value, kind = _decoded(given), type(default)
    if kind is str and isinstance(given, str) and value is not None:
        return value if isinstance(value, str) else given
    if type(value) is kind or default is None:
        return value
    if kind is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            pass
    if kind in (list, tuple) and type(value) in (list, tuple):
        return kind(value)
    if value is None:
        raise InputError(f"{where}: {key} is null: write {_wanted(kind, given)}, or leave it out for {shown(default)}.")
    quotes = ", in quotes" if kind is str else ""  # YAML reads on, 2026 and 1e3 as something else
    raise InputError(
        f"{where}: {key} has to be {_wanted(kind, given)}{quotes}; got {shown(given) if _quoted(given) else given}."
    )


def _wanted(kind: type, given: Any) -> str:
    if kind in (list, tuple):
        return f'a list, e.g. "{_as_list(given)}"' if given is not None else "a list"
    return _KINDS.get(kind, kind.__name__)


def _as_list(given: Any) -> list[Any]:
    """What a user who wrote ``given`` where a list is due will have meant: [VeRi776] and VeRi776 both lack quotes."""
    parts = given.strip("[]() ").split(",") if isinstance(given, str) else [given]
    return [_decoded(part.strip()) if isinstance(part, str) else part for part in parts if part != ""]


def _quoted(given: Any) -> bool:
    return not isinstance(given, str) or len(given) > 60 or not given.isprintable()


def _decoded(value: Any) -> Any:
    """A text as the Python literal that it is; any other as it stands."""
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def _unknown(cfg: CfgNode, key: str, where: str) -> UnknownKeyError:
    known = [name for name, _ in leaves(cfg)]
    groups = {name.rpartition(".")[0] for name in known} - {""}
    hint = did_you_mean(key, [*known, *sorted(groups)], count=1)
    return UnknownKeyError(f"{where}: unknown key {key}" + (f"; {hint}" if hint else "."), key)
