"""Verification: the share of same-identity pairs found when only so many pairs of different identities are let through.

Shape shorthand: Q queries, G gallery images, P positive pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.distributed as dist

from vreid_common.evaluation.bands import bands
from vreid_common.evaluation.marks import make_marks
from vreid_common.evaluation.metrics import Distance, LabelArray, SameCamera, camera_rule, check_labels
from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.evaluation.places import count_places
from vreid_common.evaluation.rules import MatchRule
from vreid_common.evaluation.sharding import Shards
from vreid_common.structures import DistanceRows, as_distance_rows

__all__ = ["rule_tpr_at_fpr", "tpr_at_fpr"]


def tpr_at_fpr(
    distance: Distance,
    query_pids: LabelArray,
    gallery_pids: LabelArray,
    query_camids: LabelArray | None = None,
    gallery_camids: LabelArray | None = None,
    *,
    fprs: Sequence[float] = (1e-4, 1e-3, 1e-2),
    same_camera: SameCamera = "exclude",
    group: dist.ProcessGroup | None = None,
) -> tuple[float, ...]:
    """True positive rates, as fractions in [0, 1], at given false positive rates over all (query, gallery image) pairs.

    A pair is positive when the identities are one, and accepted when its distance is at most a threshold. The result is the
    true positive rate at the point of the ROC curve with the largest false positive rate that is not above the wanted one;
    of two such points the higher. Exact, and streamed: the negative pairs before each positive one are counted, none is kept.
    A distance that is neither a matrix nor ``TiledRows`` is read twice: for the positive pairs, and for all.

    Args:
        distance: (Q, G), smaller is nearer: an array, a Tensor on any device, or ``DistanceRows``.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities.
        query_camids: (Q,) cameras, -1 where unknown.
        gallery_camids: (G,) cameras.
        fprs: wanted false positive rates in [0, 1].
        same_camera: "exclude" leaves pairs of one identity *and* camera out; "keep" counts them as positive.
        group: shares the queries among processes, as in ``evaluate_ranking``.

    Raises:
        ValueError: shapes or options do not fit, a distance is NaN, or there are no positive or no negative pairs.
    """
    distance = as_distance_rows(distance)
    query_pids, gallery_pids = check_labels(distance, query_pids, gallery_pids, "pids")
    rule = camera_rule(distance, query_camids, gallery_camids, same_camera)
    return rule_tpr_at_fpr(distance, query_pids, gallery_pids, rule, fprs, group)


def rule_tpr_at_fpr(
    distance: DistanceRows,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    rule: MatchRule,
    fprs: Sequence[float],
    group: dist.ProcessGroup | None = None,
) -> tuple[float, ...]:
    """The same with any rule about which pairs of one identity are positive."""
    if not all(0 <= fpr <= 1 for fpr in fprs):
        raise ValueError(f"False positive rates are in [0, 1], got {list(fprs)}.")
    pairs = IdentityPairs(query_pids, gallery_pids)
    num_negatives = distance.shape[0] * distance.shape[1] - int(pairs.counts.sum())
    allowed = [_most_false_positives(fpr, num_negatives) for fpr in fprs]

    shards = Shards(group)
    queries = shards.share(distance.shape[0])
    found = [
        band.pair_distances(pairs).cpu().numpy()[rule(*pairs.of(band.start, band.stop))]
        for band in bands(distance, pairs, queries)
    ]
    positives = np.sort(shards.join(np.concatenate([np.empty(0), *found])))
    if not len(positives) or not num_negatives:
        missing = "negative" if len(positives) else "positive"
        raise ValueError(f"A ROC curve needs pairs of one identity and of different ones; there is no {missing} pair.")
    with shards.in_agreement():
        counts = _count_negatives(distance, pairs, queries, positives, max(allowed, default=0))
    # A positive pair is found if no more negative ones than are allowed are as near.
    negatives_before = np.cumsum(shards.add(counts))
    return tuple(float(np.searchsorted(negatives_before, k, side="right") / len(positives)) for k in allowed)


def _count_negatives(
    distance: DistanceRows, pairs: IdentityPairs, queries: range, positives: np.ndarray, limit: int
) -> np.ndarray:
    """(P,) how many negative pairs are first counted as before each of the sorted ``positives``.

    Only the positives that at most ``limit`` negatives are before are counted for to the end: of the others it is enough to
    know that it is more.
    """
    counts = np.zeros(len(positives), np.int64)
    needed = len(positives)
    for band in bands(distance, pairs, queries):
        # All rows share the marks; a column past the gallery's end lets equal distances count as before.
        columns = np.full(needed, distance.shape[1])
        distances = torch.from_numpy(positives[:needed]).to(band.empty.dtype).numpy()
        marks = make_marks(distances, columns, np.array([0, needed]))
        counts[:needed] += count_places(band, marks, np.zeros(len(band), np.int64), pairs, limit)
        del band  # as a block of rows would still be there while the next one is computed
        needed = int(np.searchsorted(np.cumsum(counts[:needed]), limit, side="right"))
    return counts


def _most_false_positives(fpr: float, num_negatives: int) -> int:
    """The largest k with k / num_negatives <= fpr in floating point, as a comparison with a ROC curve's points has it."""
    k = round(fpr * num_negatives)
    return k if num_negatives and k / num_negatives <= fpr else max(0, k - 1)
