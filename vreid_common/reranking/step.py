"""What a re-ranking step is: a named technique with its parameters, which maps a Retrieval to a Retrieval.

A project adds a step by registering a subclass with ``RERANK_REGISTRY``:

    @RERANK_REGISTRY.register()
    @dataclass(frozen=True)
    class Sharpening(FeatureStep):
        name = "sharpening"
        power: float = parameter(2.0, low=0)

        def features(self, retrieval):
            return retrieval.query.features.pow(self.power), retrieval.gallery.features.pow(self.power)

and, for use from a config, a node of its parameters (``cfg.RERANK.SHARPENING.POWER``).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar

from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.structures import METRICS, UNKNOWN, DistanceRows, FeatureSet, Retrieval

__all__ = ["DistanceStep", "FeatureStep", "MergingStep", "RescoringStep", "Step", "parameter"]


def parameter(
    default: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    below: float = math.inf,
    choices: tuple[Any, ...] = (),
) -> Any:
    """A field of a step: its default, whose type values must have, and which values it may take."""
    return field(default=default, metadata={"low": low, "high": high, "below": below, "choices": choices})


@dataclass(frozen=True)
class Step(ABC):
    """Subclasses are frozen dataclasses whose fields are the technique's parameters.

    Raises:
        InputError: a parameter is of another type or outside its range.
    """

    name: ClassVar[str]
    """What users write."""
    needs_tracks: ClassVar[bool] = False
    """Whether the gallery's track ids have to be known."""
    metrics: ClassVar[tuple[str, ...]] = METRICS
    """The metrics of features with which the step makes sense."""
    further: ClassVar[tuple[str, ...]] = ()
    """Names of the further features (``Retrieval.further``) that the step takes."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = _checked(f"{self.name}.{item.name}", getattr(self, item.name), item)
            object.__setattr__(self, item.name, value)

    @abstractmethod
    def __call__(self, retrieval: Retrieval) -> Retrieval: ...

    def check(self, gallery: FeatureSet, further: Collection[str]) -> None:
        """Refuses what the step cannot work on, by what is known before there are features; a step that needs more adds it.

        Args:
            gallery: its labels are looked at.
            further: names of the further features that there will be.

        Raises:
            InputError: tracks or features that the step needs are not there.
        """
        if self.needs_tracks and not bool((gallery.track_ids != UNKNOWN).any()):
            raise InputError(f"{self.name} needs track ids, but no image of the gallery has one: leave the step out.")
        if self.further and not any(name in further for name in self.further):
            raise InputError(f"{self.name} needs the features {' or '.join(self.further)} of the same images as well.")

    @property
    def parameters(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.name}({values})" if values else self.name


class FeatureStep(Step):
    """Changes the features; the distance becomes that of the changed ones."""

    def __call__(self, retrieval: Retrieval) -> Retrieval:
        return retrieval.with_features(*self.features(retrieval))

    @abstractmethod
    def features(self, retrieval: Retrieval) -> tuple[Tensor, Tensor]:
        """The query's features (Q, D) and the gallery's (G, D)."""


class DistanceStep(Step):
    """Computes the distance anew from the features: a distance set before would be lost."""

    follows: ClassVar[tuple[str, ...]] = ()
    """Steps whose distance is taken up all the same, because the features say it too."""

    def __call__(self, retrieval: Retrieval) -> Retrieval:
        return retrieval.with_distance(self.distance(retrieval))

    @abstractmethod
    def distance(self, retrieval: Retrieval) -> DistanceRows:
        """The distance (Q, G), smaller is nearer."""


class RescoringStep(Step):
    """Changes the distance that there is, whether of features or of a step before."""

    def __call__(self, retrieval: Retrieval) -> Retrieval:
        return retrieval.with_distance(self.rescore(retrieval))

    @abstractmethod
    def rescore(self, retrieval: Retrieval) -> DistanceRows:
        """The changed distance (Q, G), smaller is nearer."""


class MergingStep(Step):
    """Makes one distance of those of several models, each of which has gone through the steps before.

    The first model is that of query and gallery; the others are the further features that the step names in ``further``.
    """

    def __call__(self, retrieval: Retrieval) -> Retrieval:
        return self.merge([retrieval])

    def merge(self, retrievals: Sequence[Retrieval]) -> Retrieval:
        """The first of ``retrievals`` with the distance of all."""
        return retrievals[0].with_distance(self.merged([retrieval.distance for retrieval in retrievals]))

    @abstractmethod
    def merged(self, distances: Sequence[DistanceRows]) -> DistanceRows:
        """One distance (Q, G) from the models', smaller is nearer."""


def _checked(key: str, value: Any, item: Field[Any]) -> Any:
    kind, allowed = type(item.default), item.metadata
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        wanted = {int: "a whole number", float: "a finite number"}.get(kind, f"a {kind.__name__}")
        raise InputError(f"{key} is {value!r}: use {wanted}.")
    if allowed["choices"] and value not in allowed["choices"]:
        raise InputError(f"{key} is {value!r}: use {' or '.join(allowed['choices'])}.")
    if kind in (int, float) and not (allowed["low"] <= value <= allowed["high"] and value < allowed["below"]):
        raise InputError(f"{key} is {value}: use {_range(**allowed)}.")
    return value


def _range(low: float, high: float, below: float, choices: tuple[Any, ...]) -> str:
    if below < math.inf:
        return f"{low} or more, below {below}"
    return f"{low} or more" if high == math.inf else f"{low} to {high}"
