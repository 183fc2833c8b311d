"""What the data's owner calls vehicles, cameras and tracks: numbers stand for them inside, and sets are joined by names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vreid_common.structures.item import UNKNOWN, VehicleImage

__all__ = ["NAMED_LABELS", "UNKNOWN_TEXTS", "WHOLE_NUMBER", "LabelNames", "number_names"]

NAMED_LABELS = {"pids": "vehicle", "camids": "camera", "track_ids": "track"}
"""Label of a feature set → the word for it, which is also the field of an item that has its name."""

UNKNOWN_TEXTS = ("", "-1")
"""How a label that is not known is written."""

WHOLE_NUMBER = re.compile("[0-9]{1,18}")
"""That fits in 64 bits."""


def number_names(names: Iterable[str]) -> dict[str, int]:
    """Distinct numbers of names: their own where all are whole numbers, else their places in sorted order. Unknown is -1."""
    distinct = sorted(set(names) - set(UNKNOWN_TEXTS))
    numbers = {name: int(name) for name in distinct if WHOLE_NUMBER.fullmatch(name)}
    if len(set(numbers.values())) < len(distinct):
        numbers = {name: place for place, name in enumerate(distinct)}
    return numbers | dict.fromkeys(UNKNOWN_TEXTS, UNKNOWN)


@dataclass(frozen=True)
class LabelNames:
    """The names of a set's vehicles, cameras and tracks.

    Attributes:
        pids, camids, track_ids: number → name, where the name is not the number as it is written. None where nobody says that
            the numbers are names: they are those of another program, or of a file from before there were names.
    """

    pids: Mapping[int, str] | None = None
    camids: Mapping[int, str] | None = None
    track_ids: Mapping[int, str] | None = None

    @classmethod
    def of_items(cls, items: Iterable[VehicleImage]) -> LabelNames:
        """The names of images of a data set, all of whose numbers are the data set's own."""
        found: dict[str, dict[int, str]] = {label: {} for label in NAMED_LABELS}
        for item in items:
            for label, number, name in (
                ("pids", item.pid, item.vehicle),
                ("camids", item.camid, item.camera),
                ("track_ids", item.track_id, item.track),
            ):
                if name and name != str(number) and number != UNKNOWN:
                    found[label][int(number)] = name
        return cls(**found)

    @classmethod
    def of_numbers(cls, **numbers: Mapping[str, int]) -> LabelNames:
        """Those that ``number_names`` gave numbers, label by label."""
        return cls(**{
            label: {number: name for name, number in of.items() if number != UNKNOWN and name != str(number)}
            for label, of in numbers.items()
        })  # fmt: skip

    def of(self, label: str, number: int) -> str | None:
        """The name of a number, one of ``NAMED_LABELS``; None where it is unknown."""
        if number == UNKNOWN:
            return None
        return (getattr(self, label) or {}).get(number, str(number))

    def number(self, label: str, name: str, numbers: Iterable[int]) -> int | None:
        """Which of ``numbers`` has a name; None where none has."""
        return next((number for number in numbers if self.of(label, number) == name), None)

    def used_by(self, labels: Mapping[str, np.ndarray]) -> LabelNames:
        """Without the names of numbers that ``labels`` do not have."""
        kept: dict[str, Mapping[int, str] | None] = {}
        for label, numbers in labels.items():
            names = getattr(self, label)
            kept[label] = names and {number: names[number] for number in np.unique(numbers).tolist() if number in names}
        return replace(self, **kept)

    def to_json(self) -> dict[str, Any]:
        """As ``from_json`` reads it."""
        return {
            label: names if names is None else {str(number): name for number, name in names.items()}
            for label, names in vars(self).items()
        }

    @classmethod
    def from_json(cls, content: Any) -> LabelNames:
        """Reads what ``to_json`` gave.

        Raises:
            ValueError: it is something else, or two numbers have one name.
        """
        if not isinstance(content, dict) or not content.keys() <= NAMED_LABELS.keys():
            raise ValueError("its names are damaged")
        names: dict[str, dict[int, str] | None] = {}
        for label, of in content.items():
            if of is not None and not (isinstance(of, dict) and all(isinstance(name, str) and name for name in of.values())):
                raise ValueError(f"its names of {label} are damaged")
            names[label] = of if of is None else {int(number): name for number, name in of.items()}
            if of is not None and len(set(of.values())) < len(of):
                raise ValueError(f"two of its {label} have one name")
        return cls(**names)
