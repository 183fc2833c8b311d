"""What a configuration key may hold. A constraint tests a value, and says in words what it takes.

The words stand in the sentence that refuses a value ("SOLVER.GAMMA is 2.0: use a number above 0, up to 1.") and in
docs/configuration.md.
"""

from __future__ import annotations

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vreid_common.suggestions import did_you_mean

__all__ = [
    "Anything",
    "Constraint",
    "Each",
    "Either",
    "Named",
    "OneOf",
    "Pattern",
    "Range",
    "Text",
    "above",
    "at_least",
    "between",
    "count",
    "probability",
]


class Constraint(ABC):
    """``str(constraint)`` says what it takes, as a list of things to write."""

    @abstractmethod
    def problem(self, value: Any) -> str | None:
        """What to do instead of writing ``value``, as the end of a sentence; None where it may be written."""


@dataclass(frozen=True)
class Range(Constraint):
    """Numbers from ``low`` to ``high``, the ends included unless they are ``open``; whole ones only where ``whole``."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False
    infinite: bool = False

    def problem(self, value: Any) -> str | None:
        number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        if number and (math.isfinite(value) or (self.infinite and not math.isnan(value))) and self._holds(value):
            return None
        return f"use {self}"

    def _holds(self, value: float) -> bool:
        over = value > self.low if self.open_low else value >= self.low
        return over and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low, high = f"{self.low:g}", f"{self.high:g}"
        if self.high == math.inf:
            if self.low == -math.inf:
                return "any number"
            return f"{kind} above {low}" if self.open_low else f"{low} or more"
        if self.low == -math.inf:
            return f"{kind} below {high}" if self.open_high else f"{high} or less"
        if self.open_low:
            return f"{kind} above {low}, {'below' if self.open_high else 'up to'} {high}"
        return f"{low} or more, below {high}" if self.open_high else f"{low} to {high}"


def at_least(low: float) -> Range:
    return Range(low)


def above(low: float) -> Range:
    return Range(low, open_low=True)


def between(low: float, high: float) -> Range:
    """Both ends included."""
    return Range(low, high)


def probability(*, below_one: bool = False) -> Range:
    return Range(0, 1, open_high=below_one)


def count(low: int = 1, high: float = math.inf) -> Range:
    """Whole numbers, for the entries of a list; a key whose default is whole takes no others anyway."""
    return Range(low, high, whole=True)


class OneOf(Constraint):
    """One of a few values."""

    def __init__(self, *choices: Any) -> None:
        self.choices = choices

    def problem(self, value: Any) -> str | None:
        return None if any(value == choice and type(value) is type(choice) for choice in self.choices) else f"use {self}"

    def __str__(self) -> str:
        *others, last = [repr(choice) if choice == "" else str(choice) for choice in self.choices]
        return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True)
class Named(Constraint):
    """A name that something holds, such as a registry: looked up when a value is tested, so that nothing is listed twice.

    Args:
        names: gives the names.
        holder: what holds them, for the page of all keys.
        refused: names among them that cannot be used, and why, as the end of a sentence.
    """

    names: Callable[[], Iterable[str]]
    holder: str
    refused: Mapping[str, str] = field(default_factory=dict)

    def problem(self, value: Any) -> str | None:
        if value in self.refused:
            return self.refused[value]
        known = sorted(set(self.names()) - set(self.refused))
        if value in known:
            return None
        hint = did_you_mean(str(value), known, count=1)
        return f"use one of {', '.join(known)}" + (f" ({hint})" if hint else "")

    def __str__(self) -> str:
        return f"a name in {self.holder}"


@dataclass(frozen=True)
class Pattern(Constraint):
    """Text of a form, which ``words`` describe."""

    regex: str
    words: str

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, str) and re.fullmatch(self.regex, value) else f"use {self.words}"

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Text(Constraint):
    """Any text; none at all only where ``empty``. ``words`` say what it names."""

    words: str = "any text"
    empty: bool = True

    def problem(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return f"use {self.words}, as text"
        return None if self.empty or value.strip() else f"name {self.words}"

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Anything(Constraint):
    """No constraint but the type, because what reads the key tests it as a whole; ``words`` say what to write."""

    words: str

    def problem(self, value: Any) -> str | None:
        return None

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Each(Constraint):
    """A list whose entries each keep a constraint.

    Args:
        entry: of each entry.
        lengths: how many entries there may be; none given allows any number.
        empty: whether there may be none at all.
        rising: whether no entry may be less than the one before.
        distinct: whether no entry may stand twice.
        words: in place of those made from the entry's.
    """

    entry: Constraint
    lengths: tuple[int, ...] = ()
    empty: bool = True
    words: str = ""
    rising: bool = False
    distinct: bool = False

    def problem(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return f"use {self}"
        if not value and not self.empty:
            return f"list at least one, each {self.entry}"
        if self.lengths and len(value) not in self.lengths:
            return f"use {self}"
        wrong = next((problem for problem in map(self.entry.problem, value) if problem), None)
        if wrong:
            return f"use {self.words}" if self.words else f"for each entry, {wrong}"
        for earlier, later in itertools.pairwise(value if self.rising else ()):
            if later < earlier or (later == earlier and self.distinct):
                return f"the entries have to rise: use {self}"
        if self.distinct and any(value.count(entry) > 1 for entry in value):
            return "name each once"
        return None

    def __str__(self) -> str:
        if self.words:
            return self.words
        length = f"{' or '.join(map(str, self.lengths))} entries" if self.lengths else "a list"
        return f"{length}, each {self.entry}"


class Either(Constraint):
    """What any of several constraints takes."""

    def __init__(self, *options: Constraint) -> None:
        self.options = options

    def problem(self, value: Any) -> str | None:
        return f"use {self}" if all(option.problem(value) for option in self.options) else None

    def __str__(self) -> str:
        return ", or ".join(map(str, self.options))
