"""What a re-ranking step takes and gives: two sets of images and the distance between them.

Shape shorthand: Q queries, G gallery images, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch.distributed as dist
from torch import Tensor

from vreid_common.structures.distance import DistanceRows
from vreid_common.structures.feature_rows import FeatureRows
from vreid_common.structures.feature_set import FeatureSet

__all__ = ["Retrieval"]


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Query and gallery with the current distance between them. ``Retrieval.from_features`` compares the features.

    Attributes:
        query: the Q query images.
        gallery: the G gallery images.
        distance: (Q, G), smaller is nearer.
        metric: what compares features when they change; one of ``METRICS``.
        further: name → (query, gallery) of the same images in the same order, with the features of another model
            ("orientation", "camera"), for steps that need them.
        group: processes that share the work of steps that can; each holds the same images.

    Raises:
        ValueError: the distance or further features are not of Q queries and G gallery images.
    """

    query: FeatureSet
    gallery: FeatureSet
    distance: DistanceRows
    metric: str = "cosine"
    further: Mapping[str, tuple[FeatureSet, FeatureSet]] = field(default_factory=dict)
    group: dist.ProcessGroup | None = None

    def __post_init__(self) -> None:
        size = (len(self.query), len(self.gallery))
        if tuple(self.distance.shape) != size:
            raise ValueError(f"The distance of {size[0]} queries to {size[1]} gallery images has shape {self.distance.shape}.")
        for name, (query, gallery) in self.further.items():
            if (len(query), len(gallery)) != size:
                raise ValueError(
                    f"There are {size[0]} queries and {size[1]} gallery images, "
                    f"but {len(query)} and {len(gallery)} of the features {name!r}."
                )

    @classmethod
    def from_features(
        cls,
        query: FeatureSet,
        gallery: FeatureSet,
        metric: str = "cosine",
        further: Mapping[str, tuple[FeatureSet, FeatureSet]] | None = None,
        group: dist.ProcessGroup | None = None,
    ) -> Retrieval:
        """The retrieval before any re-ranking: its distance is that of the features, computed when it is read.

        Raises:
            ValueError: the features do not fit one another, or the metric is not known.
        """
        return cls(query, gallery, FeatureRows(query.features, gallery.features, metric), metric, further or {}, group)

    def with_features(self, query: Tensor, gallery: Tensor) -> Retrieval:
        """The same images with other features (Q, D) and (G, D), and the distance between those."""
        images = replace(self.query, features=query), replace(self.gallery, features=gallery)
        return self.from_features(*images, self.metric, self.further, self.group)

    def with_distance(self, distance: DistanceRows) -> Retrieval:
        """The same features with another distance (Q, G)."""
        return replace(self, distance=distance)
