"""Database augmentation: every gallery image becomes a mean of its nearest gallery images.

Shape shorthand: G gallery images, D feature dimensions, k neighbours.
"""

from __future__ import annotations

import torch

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.expansion import cosine_weights, sum_of_neighbors
from vreid_common.reranking.graph import self_and_neighbors
from vreid_common.reranking.parameters import as_count, as_exponent

__all__ = ["database_augmentation"]


@torch.no_grad()
def database_augmentation(gallery: Array, k: int, alpha: float = 0) -> Array:
    """Each gallery image as Σ g·max(cos, 0)**alpha over its ``k`` nearest gallery images g, itself one of them.

    Source: Arandjelović and Zisserman, Three Things Everyone Should Know to Improve Object Retrieval, CVPR 2012, Sec. 5; DEx,
    Sec. 3.2, "database-side feature augmentation".

    Args:
        gallery: (G, D) floats.
        k: how many, the image itself included (1 changes nothing but the length), all G if there are fewer; ties are broken by
            index.
        alpha: how fast the weight falls with the cosine; 0 is the plain mean.

    Returns:
        (G, D) float32, all features of unit length before and after the sum.

    Raises:
        TypeError, ValueError: the features are no (G, D) floats, ``k`` is below 1 or ``alpha`` below 0.
    """
    k, alpha = as_count(k, "k"), as_exponent(alpha, "alpha")
    (features,) = as_features(gallery, names=("gallery",))
    indices, cosines = self_and_neighbors(features, k)
    return give_back(sum_of_neighbors(features, indices, cosine_weights(cosines, alpha)), gallery)
