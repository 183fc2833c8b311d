"""Sets of images joined by what their owners call vehicles, cameras and tracks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.structures.item import UNKNOWN
from vreid_common.structures.names import NAMED_LABELS, WHOLE_NUMBER, LabelNames

if TYPE_CHECKING:
    from vreid_common.structures.feature_set import FeatureSet

__all__ = ["check_models", "join_sets"]


def join_sets(sets: Sequence[FeatureSet], titles: Sequence[str]) -> list[FeatureSet]:
    """The same sets, in which a vehicle, camera or track of one name has one number. The first one keeps its numbers.

    Their features have to come from one model, as far as they say from which.

    The same name is the same vehicle; whole numbers are compared by value (``007`` is ``7``), as spreadsheets drop zeros,
    unless a set has two spellings of one. Sets without names are compared by their numbers.

    Args:
        sets: one or more.
        titles: what a message calls each.

    Raises:
        InputError: one set has names and another one bare numbers, of which nobody says what they are, or their models differ.
    """
    for images, title in zip(sets[1:], titles[1:], strict=True):
        check_models(sets[0].model, images.model, titles[0], title)
    joined = _side(sets[0], titles[0])
    renumbered = [sets[0]]
    for images, title in zip(sets[1:], titles[1:], strict=True):
        side = _side(images, title)
        names, changes = _join_names(joined, side)
        numbers = {
            label: sorted({*joined.numbers[label], *(changes[label].get(number, number) for number in of)})
            for label, of in side.numbers.items()
        }
        joined = _Side(joined.title, names, numbers)
        new = {label: _renumbered(getattr(images, label), changed) for label, changed in changes.items() if changed}
        renumbered.append(replace(images, **new) if new else images)
    return [images if images.names == joined.names else replace(images, names=joined.names) for images in renumbered]


def _side(images: FeatureSet, title: str) -> _Side:
    numbers = {label: np.unique(getattr(images, label).numpy()) for label in NAMED_LABELS}
    return _Side(title, images.names, {label: of[of != UNKNOWN].tolist() for label, of in numbers.items()})


def check_models(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None, title: str, other: str) -> None:
    """Whether features can be compared, by what made them; None, not known, can be anything.

    Raises:
        InputError: they come from different models, or were made differently.
    """
    if ours is None or theirs is None or ours == theirs:
        return
    differing = [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
    if "origins" in differing:
        raise InputError(f"{title} and {other} come from different models, so their features cannot be compared.")
    raise InputError(
        f"{title} and {other} come from one model, but were made differently ({', '.join(differing)}), so they cannot be "
        "compared: extract them with the same options."
    )


def _renumbered(numbers: Tensor, changes: Mapping[int, int]) -> Tensor:
    olds = np.array(sorted(changes))
    news = np.array([changes[old] for old in olds.tolist()])
    places = np.searchsorted(olds, numbers.numpy()).clip(max=len(olds) - 1)
    return torch.from_numpy(np.where(olds[places] == numbers.numpy(), news[places], numbers.numpy()))


@dataclass(frozen=True)
class _Side:
    """One of two sets that are joined.

    Attributes:
        title: what a message calls it.
        names: of its labels.
        numbers: label → the numbers that it has, distinct and sorted, without ``UNKNOWN``.
    """

    title: str
    names: LabelNames
    numbers: Mapping[str, Sequence[int]]


def _join_names(first: _Side, second: _Side) -> tuple[LabelNames, dict[str, dict[int, int]]]:
    """The names of two sets together, and label → number of the second set → the joined sets' number, where it is another."""
    names: dict[str, Mapping[int, str] | None] = {}
    changes: dict[str, dict[int, int]] = {}
    for label in NAMED_LABELS:
        names[label], changes[label] = _join_label(label, first, second)
    return LabelNames(**names), changes


def _join_label(label: str, first: _Side, second: _Side) -> tuple[Mapping[int, str] | None, dict[int, int]]:
    ours, theirs = getattr(first.names, label), getattr(second.names, label)
    our_numbers, their_numbers = first.numbers[label], second.numbers[label]
    if not our_numbers:
        return theirs, {}
    if not their_numbers:
        return ours, {}
    if ours is None and theirs is None:
        return None, {}
    if ours is None or theirs is None:
        _check_bare(label, first, second)
        return (theirs if ours is None else ours), {}
    our_names = {number: ours.get(number, str(number)) for number in our_numbers}
    their_names = {number: theirs.get(number, str(number)) for number in their_numbers}
    by_value = not (_two_spellings(our_names.values()) or _two_spellings(their_names.values()))
    known = {_key(name, by_value): number for number, name in our_names.items()}
    unused = max(*our_numbers, *their_numbers) + 1
    joined, changes = dict(our_names), {}
    for number, name in their_names.items():
        place = known.get(_key(name, by_value))
        if place is None:
            place, unused = (unused, unused + 1) if number in our_names else (number, unused)
            joined[place] = name
        if place != number:
            changes[number] = place
    return {number: name for number, name in joined.items() if name != str(number)}, changes


def _check_bare(label: str, first: _Side, second: _Side) -> None:
    """Bare numbers can be compared with names that are these numbers."""
    named, bare = (second, first) if getattr(first.names, label) is None else (first, second)
    names = getattr(named.names, label)
    for number in named.numbers[label]:
        name = names.get(number, str(number))
        if not (WHOLE_NUMBER.fullmatch(name) and int(name) == number):
            word = NAMED_LABELS[label]
            raise InputError(
                f"{named.title} has a {word} {name!r}, but {bare.title} has only numbers for its {word}s, such as "
                f"{bare.numbers[label][0]}, without their names, so the two cannot be joined: give both the names, by a CSV "
                "file or as arrays of text in a .npz."
            )


def _two_spellings(names: Iterable[str]) -> bool:
    values = [int(name) for name in names if WHOLE_NUMBER.fullmatch(name)]
    return len(set(values)) < len(values)


def _key(name: str, by_value: bool) -> str:
    return str(int(name)) if by_value and WHOLE_NUMBER.fullmatch(name) else name
