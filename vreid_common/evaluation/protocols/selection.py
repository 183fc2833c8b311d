"""A choice of query and gallery among the images of a test set.

Shape shorthand: Q queries, G gallery images, N = Q + G images, the queries first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vreid_common.structures import FeatureSet

__all__ = ["Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """Which of the N images of a test set are queries, and which are the gallery.

    Attributes:
        query: rising indices, int64.
        gallery: likewise.
    """

    query: np.ndarray
    gallery: np.ndarray

    def of(self, query: FeatureSet, gallery: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
        """The chosen images of a test set that has these. Their features are copied, not computed again."""
        return _select(query, gallery, self.query), _select(query, gallery, self.gallery)


def _select(query: FeatureSet, gallery: FeatureSet, indices: np.ndarray) -> FeatureSet:
    """Images at rising ``indices`` of both sets, the queries first."""
    split = int(np.searchsorted(indices, len(query)))
    return FeatureSet.concatenate([query.select(indices[:split]), gallery.select(indices[split:] - len(query))])
