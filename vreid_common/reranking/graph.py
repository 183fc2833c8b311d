"""Graphs of nearest neighbours within one set of images.

Shape shorthand: N images, D feature dimensions, k neighbours, E edges.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vreid_common.reranking.blocks import for_each_block
from vreid_common.reranking.neighbors import nearest_neighbors
from vreid_common.reranking.sparse import SparseRows

__all__ = ["mutual_graph", "order_by_neighborhood", "self_and_neighbors"]

_BLOCK_ROWS = 2048
# Few neighbours and rounds: labels are to spread over an image's like, not over all images.
_ORDERING_NEIGHBORS = 5
_ORDERING_ROUNDS = 3


def self_and_neighbors(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Each image itself and then its ``k - 1`` nearest others, ties by index.

    An image is its own first neighbour even where the search alone would not find it: a zero vector, or an image with k
    duplicates before it.

    Args:
        features: (N, D) float32, contiguous.
        k: how many, itself included; all N if there are fewer.

    Returns:
        Indices (N, min(k, N)) int64 and cosines (N, min(k, N)) float32; the cosine of an image to itself is 1.
    """
    indices, cosines = nearest_neighbors(features, features, k)
    if len(features) == 0:
        return indices, cosines
    itself = torch.arange(len(indices), device=indices.device)[:, None]
    found = indices == itself
    # Where the image is not among its own, it takes the place of the last.
    place = torch.where(found.any(dim=1), found.int().argmax(dim=1), indices.shape[1] - 1)[:, None]
    before = torch.arange(indices.shape[1] - 1, device=indices.device) < place
    others = torch.where(before, indices[:, :-1], indices[:, 1:])
    cosines = torch.where(before, cosines[:, :-1], cosines[:, 1:])
    return torch.cat((itself, others), dim=1), F.pad(cosines, (1, 0), value=1.0)


def mutual_graph(neighbors: Tensor, weights: Tensor) -> tuple[SparseRows, Tensor]:
    """The edges between images that are neighbours of each other, as a symmetric matrix.

    Args:
        neighbors: (N, k) int64, different ones in a row, the image itself not among them.
        weights: (N, k) float32 of at least 0; an edge of weight 0 is left out. Where the two directions differ by a
            rounding error the smaller counts.

    Returns:
        The matrix (N, N), and the sums of its rows (N,).
    """
    size = len(neighbors)
    columns, order = neighbors.sort(dim=1)
    weights = weights.gather(1, order)
    rows = torch.arange(size, device=neighbors.device)[:, None]
    # The keys rise, as rows do and the columns within a row: a binary search finds the reverse edge.
    keys = (rows * size + columns).flatten()
    mutual = torch.empty_like(weights)

    def work(start: int, stop: int) -> None:
        reverse = columns[start:stop] * size + rows[start:stop]
        place = torch.searchsorted(keys, reverse).clamp_max_(max(len(keys) - 1, 0))
        lesser = torch.minimum(weights[start:stop], weights.flatten()[place])
        mutual[start:stop] = torch.where(keys[place] == reverse, lesser, 0)

    for_each_block(work, size, _BLOCK_ROWS, neighbors.device)
    kept = mutual > 0
    return SparseRows.create(kept.sum(dim=1), columns[kept], mutual[kept]), mutual.sum(dim=1)


def order_by_neighborhood(neighbors: Tensor) -> Tensor:
    """An order (N,) in which images with common neighbours (N, k) are near each other, so that a cache holds them together."""
    label = torch.arange(len(neighbors), device=neighbors.device)
    nearest = neighbors[:, :_ORDERING_NEIGHBORS]
    if nearest.shape[1] == 0:
        return label
    for _ in range(_ORDERING_ROUNDS):
        label = torch.minimum(label, label[nearest].amin(dim=1))
    return label.argsort(stable=True)
