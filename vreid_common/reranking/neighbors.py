"""Exact nearest neighbours.

Shape shorthand: Q queries, G gallery images, D dimensions, k neighbours.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["NeighborMetric", "nearest_neighbors"]

NeighborMetric = Literal["cosine", "euclidean"]


def nearest_neighbors(query: Tensor, gallery: Tensor, k: int, *, metric: NeighborMetric = "cosine") -> tuple[Tensor, Tensor]:
    """The ``k`` gallery images nearest to each query, nearest first, ties by gallery index.

    Where ``query is gallery`` an image is among its own neighbours, and each pair is computed once.

    Args:
        query: (Q, D) float32 features, contiguous.
        gallery: (G, D) likewise, on the same device.
        k: how many; all G where the gallery has fewer.
        metric: "cosine", or the squared Euclidean distance.

    Returns:
        Indices (Q, min(k, G)) int64, and the cosines or squared distances (Q, min(k, G)) float32.
    """
    if metric == "cosine":
        similarity = F.normalize(query.double()) @ F.normalize(gallery.double()).T
    else:
        similarity = -torch.cdist(query.double(), gallery.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    values, indices = similarity.sort(dim=1, descending=True, stable=True)
    k = min(k, len(gallery))
    values, indices = values[:, :k].contiguous(), indices[:, :k].contiguous()
    return indices, (values if metric == "cosine" else -values).float()
