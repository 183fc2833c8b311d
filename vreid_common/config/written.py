"""Where the values of a configuration were written, and sentences about them that say it."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastreid.config import CfgNode

from vreid_common.errors import InputError

__all__ = ["COMMAND_LINE", "invalid", "note", "shown", "stated", "take_group", "where"]

# In the root's __dict__, where yacs keeps its own state: they are no keys, and clones have them too.
_ATTRIBUTE = "_vreid_written"
_NAMES = "_vreid_names"
_LONGEST = 200
COMMAND_LINE = "Command line"


class _Written(NamedTuple):
    where: str
    value: Any


def note(cfg: CfgNode, key: str, value: Any, place: str) -> None:
    """Remembers that ``key`` got ``value`` at ``place``, e.g. "configs/base.yml:12" or "Command line"."""
    cfg.__dict__.setdefault(_ATTRIBUTE, {})[key] = _Written(place, value)


def take_group(cfg: CfgNode, source: str, target: str) -> None:
    """Gives the keys of group ``target`` the values that those of ``source`` have, in place; sentences name the latter."""
    for name, value in _value(cfg, source).items():
        _value(cfg, target)[name] = value
        cfg.__dict__.setdefault(_NAMES, {})[f"{target}.{name}"] = f"{source}.{name}"


def where(cfg: CfgNode, key: str) -> str:
    """Where the present value of ``key`` was written; "" for a default, and for what a program has set."""
    written = cfg.__dict__.get(_ATTRIBUTE, {}).get(_name(cfg, key))
    value = _value(cfg, key)
    return written.where if written is not None and (written.value is value or written.value == value) else ""


def invalid(cfg: CfgNode, key: str, problem: str) -> InputError:
    """The error that ``key`` has a value that cannot be used; ``problem`` ends its sentence, without the full stop."""
    place = where(cfg, key)
    return InputError(f"{place and place + ': '}{_name(cfg, key)} is {shown(_value(cfg, key))}: {problem}.")


def stated(cfg: CfgNode, key: str) -> str:
    """A key with its value, and where that was written, for the middle of a sentence about another key."""
    place = where(cfg, key)
    return f"{_name(cfg, key)} {shown(_value(cfg, key))}" + (f" ({place})" if place not in ("", COMMAND_LINE) else "")


def shown(value: Any) -> str:
    """A value as it may stand in a sentence: tuples as lists, which is what people write, and nothing endless."""
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _name(cfg: CfgNode, key: str) -> str:
    return cfg.__dict__.get(_NAMES, {}).get(key, key)


def _value(cfg: CfgNode, key: str) -> Any:
    value: Any = cfg
    for name in key.split("."):
        value = value[name]
    return value
