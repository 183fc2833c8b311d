"""Where the images of the query's own identity rank, from one reading of the distance.

The distances of the pairs of one identity are few and found first, from the labels. Then every entry is read and counted once.

Shape shorthand: Q queries, G gallery images, M (query, gallery image) pairs of one identity within a band.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from vreid_common.evaluation.bands import Band, bands
from vreid_common.evaluation.marks import make_marks
from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.evaluation.places import count_places
from vreid_common.structures import DistanceRows

__all__ = ["BandRanks", "rank_identity_pairs"]


@dataclass(frozen=True, eq=False)
class BandRanks:
    """The ranks of a band of queries, ``start`` to ``stop``. The pairs of a query follow one another, nearest first.

    Attributes:
        query: (M,) query indices, rising.
        gallery: (M,) gallery indices.
        negatives_before: (M,) how many images of *other* identities rank before the pair's. The place among those of the
            same identity depends on which of them a protocol lets count, so it is left to the metrics.
    """

    start: int
    stop: int
    query: np.ndarray
    gallery: np.ndarray
    negatives_before: np.ndarray


def rank_identity_pairs(
    distance: DistanceRows, query_pids: np.ndarray, gallery_pids: np.ndarray, queries: range
) -> Iterator[BandRanks]:
    """Ranks every pair of one identity of ``queries``, exactly; gallery images at one distance rank by their index.

    Raises:
        NotANumber: a distance is NaN.
    """
    pairs = IdentityPairs(query_pids, gallery_pids)
    # map keeps no band: a block of rows would still be there while the next one is computed.
    return map(partial(_rank_band, pairs), bands(distance, pairs, queries))


def _rank_band(pairs: IdentityPairs, band: Band) -> BandRanks:
    query, gallery = pairs.of(band.start, band.stop)
    values = band.pair_distances(pairs).cpu().numpy()
    # lexsort is stable, and the gallery indices of a query rise: ties stay in gallery order.
    order = np.lexsort((values, query))
    gallery = gallery[order]
    offsets = np.concatenate([[0], np.cumsum(pairs.counts[band.start : band.stop])])
    marks = make_marks(values[order], gallery, offsets)
    before = np.cumsum(count_places(band, marks, np.arange(len(band)), pairs))
    # From sums over all queries to sums within each.
    before -= np.repeat(np.concatenate([[0], before])[offsets[:-1]], np.diff(offsets))
    return BandRanks(band.start, band.stop, query, gallery, before)
