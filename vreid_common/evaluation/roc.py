"""Verification: the share of same-identity pairs found when only so many pairs of different identities are let through.

Shape shorthand: Q queries, G gallery images, B query rows of a block.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vreid_common.evaluation.metrics import Distance, LabelArray, SameCamera, camera_rule, check_labels
from vreid_common.evaluation.ranks import IdentityPairs
from vreid_common.evaluation.rules import MatchRule
from vreid_common.structures import DistanceRows, as_distance_rows, row_blocks

__all__ = ["rule_tpr_at_fpr", "tpr_at_fpr"]

_BLOCK_BYTES = 16 << 20
# Bytes for an entry of a block beside its distance: two masks and the values that they choose.
_BYTES_AN_ENTRY = 8


def tpr_at_fpr(
    distance: Distance,
    query_pids: LabelArray,
    gallery_pids: LabelArray,
    query_camids: LabelArray | None = None,
    gallery_camids: LabelArray | None = None,
    *,
    fprs: Sequence[float] = (1e-4, 1e-3, 1e-2),
    same_camera: SameCamera = "exclude",
) -> tuple[float, ...]:
    """True positive rates, as fractions in [0, 1], at given false positive rates over all (query, gallery image) pairs.

    A pair is positive when the identities are one, and accepted when its distance is at most a threshold. The result is the
    true positive rate at the point of the ROC curve with the largest false positive rate that is not above the wanted one;
    of two such points the higher. Exact, and streamed: only as many of the smallest negative distances are kept as the largest
    false positive rate asks for.

    Args:
        distance: (Q, G), smaller is nearer: an array, a Tensor on any device, or ``DistanceRows``.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities.
        query_camids: (Q,) cameras, -1 where unknown.
        gallery_camids: (G,) cameras.
        fprs: wanted false positive rates in [0, 1].
        same_camera: "exclude" leaves pairs of one identity *and* camera out; "keep" counts them as positive.

    Raises:
        ValueError: shapes or options do not fit, a distance is NaN, or there are no positive or no negative pairs.
    """
    distance = as_distance_rows(distance)
    query_pids, gallery_pids = check_labels(distance, query_pids, gallery_pids, "pids")
    return rule_tpr_at_fpr(
        distance, query_pids, gallery_pids, camera_rule(distance, query_camids, gallery_camids, same_camera), fprs
    )


def rule_tpr_at_fpr(
    distance: DistanceRows, query_pids: np.ndarray, gallery_pids: np.ndarray, rule: MatchRule, fprs: Sequence[float]
) -> tuple[float, ...]:
    """The same with any rule about which pairs of one identity are positive."""
    if not all(0 <= fpr <= 1 for fpr in fprs):
        raise ValueError(f"False positive rates are in [0, 1], got {list(fprs)}.")
    num_queries, num_gallery = distance.shape
    pairs = IdentityPairs(query_pids, gallery_pids)
    num_negatives = num_queries * num_gallery - int(pairs.counts.sum())
    allowed = [_most_false_positives(fpr, num_negatives) for fpr in fprs]
    nearest = _Smallest(min(max(allowed, default=0) + 1, num_negatives))
    positives: list[np.ndarray] = []
    for start, block in row_blocks(distance, pairs.rows_a_block(num_gallery, 4 + _BYTES_AN_ENTRY, _BLOCK_BYTES)):
        nan_rows = torch.isnan(block).any(dim=1)
        if nan_rows.any():
            row = start + int(nan_rows.nonzero()[0])
            raise ValueError(f"A distance of query {row} to the gallery is not a number (NaN).")
        query, gallery = pairs.of(start, start + len(block))
        rows, columns = torch.from_numpy(query - start).to(block.device), torch.from_numpy(gallery).to(block.device)
        positives.append(block[rows, columns].cpu().numpy()[rule(query, gallery)])
        negative = nearest.below_bound(block)
        negative[rows, columns] = False
        nearest.add(block[negative])
        del block, negative  # or they would still be there while the next block is computed
    positive = np.concatenate(positives) if positives else np.empty(0)
    if not len(positive) or not num_negatives:
        missing = "negative" if len(positive) else "positive"
        raise ValueError(f"A ROC curve needs pairs of one identity and of different ones; there is no {missing} pair.")
    negatives = nearest.sorted()
    # Every threshold below the first negative that is one too many is allowed; all positives below that one are found.
    return tuple(1.0 if k >= num_negatives else float(np.mean(positive < negatives[k])) for k in allowed)


def _most_false_positives(fpr: float, num_negatives: int) -> int:
    """The largest k with k / num_negatives <= fpr in floating point, as a comparison with a ROC curve's points has it."""
    k = round(fpr * num_negatives)
    return k if num_negatives and k / num_negatives <= fpr else max(0, k - 1)


class _Smallest:
    """The ``size`` smallest of all values added; a value that can no longer be one of them is not kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._chunks: list[np.ndarray] = []
        self._held = 0
        self._bound: float | None = None

    def below_bound(self, block: Tensor) -> Tensor:
        """Mask of the values that may still be among the smallest."""
        return torch.ones_like(block, dtype=torch.bool) if self._bound is None else block < self._bound

    def add(self, values: Tensor) -> None:
        self._chunks.append(values.cpu().numpy())
        self._held += len(values)
        if self._held > 2 * self._size + (1 << 20):
            kept = np.partition(np.concatenate(self._chunks), self._size - 1)[: self._size].copy()
            self._chunks, self._held, self._bound = [kept], self._size, float(kept[-1])

    def sorted(self) -> np.ndarray:
        return np.sort(np.concatenate(self._chunks))[: self._size] if self._chunks else np.empty(0)
