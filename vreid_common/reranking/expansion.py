"""What query expansion, database augmentation and DEx have in common: weighted sums of unit features.

Shape shorthand: N images, Q queries, G gallery images, D feature dimensions, k neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.reranking.blocks import for_each_block
from vreid_common.reranking.sparse import weighted_sums

__all__ = ["cosine_weights", "inverse_norms", "normalize_", "sum_of_neighbors"]

_BLOCK_ROWS = 512

# What is shorter counts as a zero vector, as in torch.nn.functional.normalize.
_SHORTEST = 1e-12

# Of the lengths of vectors that cancel each other, float32 may leave so much in their sum.
_ROUNDING = 4 * torch.finfo(torch.float32).eps


def inverse_norms(features: Tensor) -> Tensor:
    """One over the length of each of the features (N, D), and 0 for a zero vector: the factor (N,) to unit length."""
    norms = torch.linalg.vector_norm(features, dim=1)
    too_long = norms.isinf()  # the squares of a finite feature overflowed
    if bool(too_long.any()):
        norms = norms.double()
        norms[too_long] = torch.linalg.vector_norm(features[too_long].double(), dim=1)
    return torch.where(norms > _SHORTEST, norms.reciprocal(), 0).float()


def normalize_(features: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Scales each of the features (N, D) to unit length in place; a zero vector stays one.

    Args:
        features: (N, D).
        lengths: (N,) of all the vectors together that each feature is the sum of. With them a sum that is no longer than what
            rounding may leave of vectors that cancel each other becomes a zero vector: it has no direction of its own.
    """
    scale = inverse_norms(features)
    if lengths is not None:
        scale = torch.where(scale * lengths * _ROUNDING < 1, scale, 0)
    return features.mul_(scale[:, None])


def cosine_weights(cosines: Tensor, alpha: float) -> Tensor:
    """max(cosine, 0)**alpha; 1 throughout for alpha = 0."""
    return cosines.clamp_min(0).pow_(alpha)


def sum_of_neighbors(gallery: Tensor, indices: Tensor, weights: Tensor, query: Tensor | None = None) -> Tensor:
    """The weighted sum of each image's neighbours, and of the image itself if ``query`` is given, scaled to unit length.

    Args:
        gallery: (G, D); summed up at unit length, without a scaled copy of all of it.
        indices: (Q, k) neighbours.
        weights: (Q, k), not negative.
        query: (Q, D), which have weight 1 and unit length.

    Returns:
        (Q, D).
    """
    scale = inverse_norms(gallery)
    result = gallery.new_empty(len(indices), gallery.shape[1])

    def work(start: int, stop: int) -> None:
        neighbors = indices[start:stop]
        total = weighted_sums(gallery, neighbors, weights[start:stop] * scale[neighbors])
        lengths = weights[start:stop].sum(dim=1)
        if query is not None:
            total.addcmul_(query[start:stop], inverse_norms(query[start:stop])[:, None])
            lengths += 1
        result[start:stop] = normalize_(total, lengths)

    for_each_block(work, len(indices), _BLOCK_ROWS if gallery.device.type == "cpu" else len(indices), gallery.device)
    return result
