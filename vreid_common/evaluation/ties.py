"""How many queries' first match is decided by nothing but the gallery's order.

Shape shorthand: Q queries, G gallery images, M (query, gallery image) pairs of one identity.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.evaluation.rules import MatchRule
from vreid_common.structures import DistanceRows

__all__ = ["count_tied_queries"]

_BLOCK, _LOOKED_AT = 32, 4
"""Queries read at once, and how many such blocks are looked at first: a block costs little more than one query."""


def count_tied_queries(distance: DistanceRows, query_pids: np.ndarray, gallery_pids: np.ndarray, match: MatchRule) -> int:
    """Queries with an image of another identity at exactly the distance of their nearest match.

    Ties are ranked by gallery index, so that Rank-1 and mAP of such queries say how the gallery is listed. Of a ranking without
    ties only a few blocks of queries, evenly spread, are looked at; where one of these queries is tied, all are.

    Args:
        distance: (Q, G).
        query_pids, gallery_pids: (Q,), (G,) identities.
        match: which gallery images of the query's identity are matches.
    """
    count = distance.shape[0]
    pairs = IdentityPairs(query_pids, gallery_pids)
    starts = range(0, count, _BLOCK)
    first = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), _LOOKED_AT)).astype(int)).tolist()

    def tied(places: Iterable[int]) -> int:
        return sum(_tied(distance, pairs, match, starts[place], min(starts[place] + _BLOCK, count)) for place in places)

    found = tied(first)
    return found + tied(place for place in range(len(starts)) if place not in first) if found else 0


def _tied(distance: DistanceRows, pairs: IdentityPairs, match: MatchRule, start: int, stop: int) -> int:
    rows = np.array(distance.rows(start, stop).cpu().numpy(), copy=True)
    query, gallery = pairs.of(start, stop)
    kept = match(query, gallery)
    nearest = np.full(len(rows), np.inf, rows.dtype)
    np.minimum.at(nearest, query[kept] - start, rows[query[kept] - start, gallery[kept]])
    rows[query - start, gallery] = np.nan  # images of the query's own identity, matches or junk, are no others
    return int((rows == nearest[:, None]).any(axis=1)[np.isfinite(nearest)].sum())
