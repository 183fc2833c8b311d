"""A ranking of a test set, as a report takes it: features and what re-ranks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vreid_common.evaluation.protocols import Selection
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import DistanceRows, FeatureSet

__all__ = ["Ranking"]

FeaturePair = tuple[FeatureSet, FeatureSet]


@dataclass(frozen=True, eq=False)
class Ranking:
    """A ranking to report on.

    Attributes:
        name: what the page calls it.
        pipeline: its re-ranking, or none.
        query, gallery: features; those of the rankings of one report are of the same images.
        further: name → (query, gallery) with other features of the same images, for the pipeline.
    """

    name: str
    pipeline: Pipeline
    query: FeatureSet
    gallery: FeatureSet
    further: Mapping[str, FeaturePair] = field(default_factory=dict)

    def part(self, selection: Selection | None) -> Ranking:
        """That of some of the images; of all where ``selection`` is None."""
        if selection is None:
            return self
        further = {name: selection.of(*pair) for name, pair in self.further.items()}
        return Ranking(self.name, self.pipeline, *selection.of(self.query, self.gallery), further)

    def distance(self) -> DistanceRows:
        return self.pipeline(self.query, self.gallery, self.further).distance
