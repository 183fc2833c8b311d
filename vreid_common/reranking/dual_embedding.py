"""Dual embedding expansion (DEx): query expansion with the images of the nearest tracks.

Shape shorthand: Q queries, G gallery images, D feature dimensions, T tracks, k neighbours, B queries of a block, K tracks of a
query, P (query, image) pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.expansion import cosine_weights, inverse_norms, sum_of_neighbors
from vreid_common.reranking.neighbors import nearest_neighbors
from vreid_common.reranking.parameters import as_count, as_exponent
from vreid_common.reranking.sparse import weighted_sums
from vreid_common.reranking.track_groups import TrackGroups
from vreid_common.structures import FeatureRows, row_blocks

__all__ = ["dual_embedding_expansion"]

# Bytes of a block's cosines, and of what is kept for its pairs.
_BLOCK_BYTES = 48 << 20
_BYTES_A_PAIR = 64


@torch.no_grad()
def dual_embedding_expansion(query: Array, gallery: Array, gallery_tracks: Array, k: int, alpha: float) -> Array:
    """q + Σ g·max(cos(q, g), 0)**alpha over the first ``k`` images g of the tracks nearest to q, scaled to unit length.

    Tracks are ranked by the cosine of q to the mean of their images' unit features. Their images take the track's place in the
    ranking, those of one track ordered by their own cosine to q; ties are broken by gallery index (of tracks: by their first).

    Source: Dual Embedding Expansion for Vehicle Re-identification, CVPRW 2020, Eq. 5-6; order within a track, negative
    cosines and final length are ours. Its Eq. 4, one feature from several models and scales, is a matter of extraction.

    Args:
        query: (Q, D) floats.
        gallery: (G, D) floats.
        gallery_tracks: (G,) track ids; an image of id -1 is a track of its own.
        k: how many images, all G if there are fewer; the paper takes 20.
        alpha: how fast the weight falls with the cosine; the paper takes 2.

    Returns:
        (Q, D) float32.

    Raises:
        TypeError, ValueError: the arrays do not fit each other, ``k`` is below 1 or ``alpha`` below 0.
    """
    k, alpha = as_count(k, "k"), as_exponent(alpha, "alpha")
    queries, images = as_features(query, gallery)
    tracks = TrackGroups.create(gallery_tracks, len(images), images.device)
    means = weighted_sums(images, tracks.images, inverse_norms(images)[tracks.images], tracks.offsets)
    nearest, _ = nearest_neighbors(queries, means, k)  # k tracks have at least k images

    indices = nearest.new_empty(len(queries), min(k, len(images)))
    cosines = queries.new_empty(indices.shape)
    pairs = min(len(images), k + int(tracks.sizes.max())) if len(tracks) else 0
    rows = max(1, _BLOCK_BYTES // (4 * len(images) + _BYTES_A_PAIR * pairs + 1))
    for start, distance in row_blocks(FeatureRows(queries, images, "cosine"), rows):
        stop = start + len(distance)
        indices[start:stop] = _first_images(distance, nearest[start:stop], tracks, k)
        cosines[start:stop] = 1 - distance.gather(1, indices[start:stop])
    return give_back(sum_of_neighbors(images, indices, cosine_weights(cosines, alpha), queries), query)


def _first_images(distance: Tensor, nearest: Tensor, tracks: TrackGroups, k: int) -> Tensor:
    """The first ``k`` images (B, min(k, G)) of the tracks ``nearest`` (B, K), by track and then by distance (B, G)."""
    sizes = tracks.sizes[nearest]
    before = sizes.cumsum(dim=1) - sizes
    counts = torch.where(before < k, sizes, 0).flatten()
    # One pair for each image of each track that is needed; slot = query * K + rank of the track.
    slot = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    within = torch.arange(len(slot), device=counts.device) - (counts.cumsum(0) - counts)[slot]
    image = tracks.images[tracks.offsets[nearest.flatten()[slot]] + within]
    row = slot // max(nearest.shape[1], 1)
    # Stable sorts from the last key to the first; the images of a slot are in gallery order.
    order = distance[row, image].argsort(stable=True)
    order = order[slot[order].argsort(stable=True)]
    pairs = torch.bincount(row, minlength=len(nearest))
    place = torch.arange(len(row), device=row.device) - (pairs.cumsum(0) - pairs)[row]  # the sorts leave ``row`` as it was
    return image[order[place < k]].view(len(nearest), -1)
