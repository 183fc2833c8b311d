"""How many queries' first match is decided by nothing but the gallery's order.

Shape shorthand: Q queries, G gallery images, M (query, gallery image) pairs of one identity.
"""

from __future__ import annotations

import numpy as np

from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.evaluation.rules import MatchRule
from vreid_common.structures import DistanceRows

__all__ = ["count_tied_queries"]

_SAMPLE, _BLOCK = 128, 64


def count_tied_queries(distance: DistanceRows, query_pids: np.ndarray, gallery_pids: np.ndarray, match: MatchRule) -> int:
    """Queries with an image of another identity at exactly the distance of their nearest match.

    Ties are ranked by gallery index, so that Rank-1 and mAP of such queries say how the gallery is listed. Of a ranking without
    ties only ``_SAMPLE`` queries, evenly spread, are looked at; where one of these is tied, all are.

    Args:
        distance: (Q, G).
        query_pids, gallery_pids: (Q,), (G,) identities.
        match: which gallery images of the query's identity are matches.
    """
    count = distance.shape[0]
    pairs = IdentityPairs(query_pids, gallery_pids)
    sample = np.unique(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64))
    tied = sum(_tied(distance, pairs, match, int(query), int(query) + 1) for query in sample)
    if not tied or len(sample) == count:
        return tied
    return sum(_tied(distance, pairs, match, start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK))


def _tied(distance: DistanceRows, pairs: IdentityPairs, match: MatchRule, start: int, stop: int) -> int:
    rows = np.array(distance.rows(start, stop).cpu().numpy(), copy=True)
    query, gallery = pairs.of(start, stop)
    kept = match(query, gallery)
    nearest = np.full(len(rows), np.inf, rows.dtype)
    np.minimum.at(nearest, query[kept] - start, rows[query[kept] - start, gallery[kept]])
    rows[query - start, gallery] = np.nan  # images of the query's own identity, matches or junk, are no others
    return int((rows == nearest[:, None]).any(axis=1)[np.isfinite(nearest)].sum())
