"""Which gallery images have the identity of a query.

Shape shorthand: Q queries, G gallery images, M (query, gallery image) pairs of one identity.
"""

from __future__ import annotations

import numpy as np

from vreid_common.structures import UNKNOWN

__all__ = ["IdentityPairs"]


class IdentityPairs:
    """The gallery images of each query's identity.

    Args:
        query_pids: (Q,) int64; an unknown one (-1) has no images.
        gallery_pids: (G,) int64.

    Attributes:
        images: int64 indices of the gallery images of the queries' identities, ordered by identity, rising within each.
        first, last: (Q,) int64: the images of query q's identity are ``images[first[q]:last[q]]``.
    """

    def __init__(self, query_pids: np.ndarray, gallery_pids: np.ndarray) -> None:
        # Most of a large gallery is of no query's identity, and sorting it would take longer than all else here.
        images = np.flatnonzero(np.isin(gallery_pids, query_pids) & (gallery_pids != UNKNOWN))
        self.images = images[np.argsort(gallery_pids[images], kind="stable")]
        ordered = gallery_pids[self.images]
        self.first = np.searchsorted(ordered, query_pids, side="left")
        self.last = np.searchsorted(ordered, query_pids, side="right")

    @property
    def counts(self) -> np.ndarray:
        """(Q,) how many pairs each query has."""
        return self.last - self.first

    def of(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Query indices and gallery indices (M,) of the pairs of queries ``start`` to ``stop``, both rising."""
        counts = self.counts[start:stop]
        begin = np.cumsum(counts) - counts
        place = np.arange(counts.sum()) + np.repeat(self.first[start:stop] - begin, counts)
        return np.repeat(np.arange(start, stop), counts), self.images[place]
