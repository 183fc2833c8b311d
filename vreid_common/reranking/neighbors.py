"""Exact nearest neighbours.

Shape shorthand: Q queries, G gallery images, D dimensions, k neighbours.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vreid_common.reranking.device_search import search_on_device
from vreid_common.reranking.expansion import inverse_norms
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.tile_search import search_tiles

__all__ = ["NeighborMetric", "nearest_neighbors"]

NeighborMetric = Literal["cosine", "euclidean"]


def nearest_neighbors(query: Tensor, gallery: Tensor, k: int, *, metric: NeighborMetric = "cosine") -> tuple[Tensor, Tensor]:
    """The ``k`` gallery images nearest to each query, nearest first, ties by gallery index.

    Where ``query is gallery`` an image is among its own neighbours, and each pair is computed once.

    Args:
        query: (Q, D) float32 features, contiguous.
        gallery: (G, D) likewise, on the same device, G >= 1.
        k: how many, at least 1; all G where the gallery has fewer.
        metric: "cosine", or the squared Euclidean distance.

    Returns:
        Indices (Q, min(k, G)) int64, and the cosines or squared distances (Q, min(k, G)) float32.
    """
    cosine = metric == "cosine"
    same = query is gallery
    if cosine:
        query = query * inverse_norms(query)[:, None]
        gallery = query if same else gallery * inverse_norms(gallery)[:, None]
    rows = FeatureUnion(query, center=not cosine and same)
    columns = rows if same else FeatureUnion(gallery)
    k = min(k, len(gallery))
    if query.device.type == "cpu":
        found = search_tiles(rows, columns, k, cosine=cosine)
        indices, distances = torch.from_numpy(found.indices).long(), torch.from_numpy(found.distances)
    else:
        indices, distances, _ = search_on_device(rows, columns, k, cosine=cosine)
    return indices, (-distances if cosine else distances)
