"""What query expansion, database augmentation and DEx have in common: weighted sums of unit features.

Shape shorthand: N images, Q queries, G gallery images, D feature dimensions, k neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.reranking.sparse import weighted_sums

__all__ = ["cosine_weights", "expand_queries", "inverse_norms", "normalize_", "sum_of_unit_features"]

# What is shorter counts as a zero vector, as in torch.nn.functional.normalize.
_SHORTEST = 1e-12


def inverse_norms(features: Tensor) -> Tensor:
    """One over the length of each of the features (N, D), and 0 for a zero vector: the factor (N,) to unit length."""
    norms = torch.linalg.vector_norm(features, dim=1)
    too_long = norms.isinf()  # the squares of a finite feature overflowed
    if bool(too_long.any()):
        norms = norms.double()
        norms[too_long] = torch.linalg.vector_norm(features[too_long].double(), dim=1)
    return torch.where(norms > _SHORTEST, norms.reciprocal(), 0).float()


def normalize_(features: Tensor) -> Tensor:
    """Scales each of the features (N, D) to unit length in place; a zero vector stays one."""
    return features.mul_(inverse_norms(features)[:, None])


def cosine_weights(cosines: Tensor, alpha: float) -> Tensor:
    """max(cosine, 0)**alpha; 1 throughout for alpha = 0."""
    return cosines.clamp_min(0).pow_(alpha)


def sum_of_unit_features(features: Tensor, indices: Tensor, weights: Tensor, offsets: Tensor | None = None) -> Tensor:
    """``weighted_sums`` of the features scaled to unit length, without a scaled copy of all of them."""
    return weighted_sums(features, indices, weights * inverse_norms(features)[indices], offsets)


def expand_queries(query: Tensor, gallery: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Each query plus its weighted neighbours (Q, k), all of unit length, scaled to unit length: (Q, D)."""
    total = sum_of_unit_features(gallery, indices, weights)
    return normalize_(total.addcmul_(query, inverse_norms(query)[:, None]))
