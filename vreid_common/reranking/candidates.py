"""Re-ranking of each query's first gallery images only.

Shape shorthand: Q queries, G gallery images, K candidates of a query.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import FeatureSet

__all__ = ["NO_CANDIDATE", "rerank_candidates"]

NO_CANDIDATE = -1
"""Index in the place of a candidate that there is not."""


def rerank_candidates(pipeline: Pipeline, query: FeatureSet, gallery: FeatureSet, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Applies a pipeline to each query alone, with its K candidates as the whole gallery, and sorts them by its distance.

    Of these K images the result is exactly what the pipeline says. Of the gallery's ranking it is an approximation: no image
    outside comes in, and steps that look at neighbours (query expansion, k-reciprocal, diffusion) see only neighbours among the
    K, and no other query. The cost depends on K, not on G.

    Args:
        pipeline: any but one that merges models.
        query: Q images.
        gallery: G images on the query's device; only candidates are read of it.
        candidates: (Q, K) int64 gallery indices, in any order; ``NO_CANDIDATE`` are left out.

    Returns:
        The indices (Q, K) nearest first, ties by gallery index, and their distances (Q, K) float32; at the end of a row
        ``NO_CANDIDATE`` and infinity for each candidate that was not there.

    Raises:
        InputError: a step cannot work on what it gets.
        ValueError: there is not a row of candidates for each query.
    """
    if candidates.ndim != 2 or len(candidates) != len(query):
        raise ValueError(f"The candidates of {len(query)} queries are ({len(query)}, K), got {tuple(candidates.shape)}.")
    indices = torch.full(candidates.shape, NO_CANDIDATE, dtype=torch.int64)
    distances = torch.full(candidates.shape, torch.inf)
    for row, chosen in enumerate(candidates.cpu()):
        chosen = chosen[chosen != NO_CANDIDATE].sort().values  # in the gallery's order, by which steps settle ties
        if not len(chosen):
            continue
        found = pipeline(query.select(slice(row, row + 1)), gallery.select(chosen)).distance.rows(0, 1)[0].float().cpu()
        order = found.argsort(stable=True)
        indices[row, : len(order)], distances[row, : len(order)] = chosen[order], found[order]
    return indices, distances
