"""Query expansion: a query moves towards its nearest gallery images.

Shape shorthand: Q queries, G gallery images, D feature dimensions, k neighbours.
"""

from __future__ import annotations

import torch

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.expansion import cosine_weights, sum_of_neighbors
from vreid_common.reranking.neighbors import nearest_neighbors
from vreid_common.reranking.parameters import as_count, as_exponent

__all__ = ["alpha_query_expansion", "average_query_expansion"]


def average_query_expansion(query: Array, gallery: Array, k: int) -> Array:
    """The mean of each query and its ``k`` nearest gallery images by cosine, all of unit length, scaled to unit length.

    Source: Chum et al., Total Recall: Automatic Query Expansion with a Generative Feature Model for Object Retrieval, ICCV
    2007, "average query expansion".

    Args:
        query: (Q, D) floats.
        gallery: (G, D) floats.
        k: how many neighbours, all G if there are fewer; ties are broken by gallery index.

    Returns:
        (Q, D) float32. A zero vector has no direction: it adds nothing, and a sum of 0 stays 0. So does one of opposite vectors
        that rounding leaves short of 0.

    Raises:
        TypeError, ValueError: the features do not fit each other, or ``k`` is below 1.
    """
    # The mean and the sum have one direction, and max(cos, 0)**0 = 1.
    return alpha_query_expansion(query, gallery, k, 0.0)


@torch.no_grad()
def alpha_query_expansion(query: Array, gallery: Array, k: int, alpha: float) -> Array:
    """q + Σ g·max(cos(q, g), 0)**alpha over the ``k`` gallery images g nearest to q, all of unit length, scaled to unit length.

    Source: Radenović et al., Fine-tuning CNN Image Retrieval with No Human Annotation, TPAMI 2019, Sec. 3.4.

    Args:
        query: (Q, D) floats.
        gallery: (G, D) floats.
        k: how many neighbours, all G if there are fewer; ties are broken by gallery index.
        alpha: how fast the weight falls with the cosine; 0 is average query expansion.

    Returns:
        (Q, D) float32.

    Raises:
        TypeError, ValueError: the features do not fit each other, ``k`` is below 1 or ``alpha`` below 0.
    """
    k, alpha = as_count(k, "k"), as_exponent(alpha, "alpha")
    queries, images = as_features(query, gallery)
    indices, cosines = nearest_neighbors(queries, images, k)
    return give_back(sum_of_neighbors(images, indices, cosine_weights(cosines, alpha), queries), query)
