"""The first gallery images of every query.

Shape shorthand: Q queries, G gallery images, B rows of a block, K ranks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vreid_common.structures import DistanceRows, row_blocks

__all__ = ["blocks_of_rows", "rank_list"]

_BLOCK_BYTES = 48 << 20


def rank_list(distance: DistanceRows, top_k: int) -> np.ndarray:
    """The indices of each query's nearest gallery images, nearest first, ties by index; read in blocks of query rows.

    Args:
        distance: (Q, G), smaller is nearer.
        top_k: how many; all G where the gallery has fewer.

    Returns:
        (Q, min(top_k, G)) int64.

    Raises:
        ValueError: ``top_k`` is not positive.
    """
    if top_k < 1:
        raise ValueError(f"top_k is at least 1, got {top_k}.")
    ranking = np.empty((distance.shape[0], min(top_k, distance.shape[1])), np.int64)
    for start, block in blocks_of_rows(distance):
        ranking[start : start + len(block)] = _nearest(block, ranking.shape[1]).cpu().numpy()
    return ranking


def blocks_of_rows(distance: DistanceRows) -> Iterator[tuple[int, Tensor]]:
    """``row_blocks`` of about 48 MB each."""
    return row_blocks(distance, max(1, _BLOCK_BYTES // (4 * max(1, distance.shape[1]))))


def _nearest(block: Tensor, k: int) -> Tensor:
    """topk alone picks any of those that tie at the last place, so its values only say which images may be in the list."""
    last = block.topk(k, dim=1, largest=False).values.amax(dim=1, keepdim=True)
    row, column = (block <= last).nonzero(as_tuple=True)  # by row, then by gallery index
    order = block[row, column].argsort(stable=True)
    order = order[row[order].argsort(stable=True)]
    counts = torch.bincount(row, minlength=len(block))
    first = counts.cumsum(0) - counts
    return column[order[first[:, None] + torch.arange(k, device=block.device)]]
