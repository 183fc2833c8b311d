"""Ranking with tracklets: successive images of one vehicle in one camera, so what is known of one holds for all.

Shape shorthand: Q queries, G gallery images, D feature dimensions, T tracks, B queries of a block, K ranks.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.blocks import for_each_block
from vreid_common.reranking.dense import dense_distance
from vreid_common.reranking.expansion import inverse_norms, normalize_
from vreid_common.reranking.parameters import as_count
from vreid_common.reranking.sparse import weighted_sums
from vreid_common.reranking.track_groups import TrackGroups
from vreid_common.structures import DistanceRows, as_distance_rows

__all__ = ["TrackReduction", "TrackletDistanceRows", "average_tracklets", "pull_tracklets", "tracklet_distance"]

TrackReduction = Literal["mean", "min"]

# Bytes of a block of rankings, with what is derived from it.
_BLOCK_BYTES = 16 << 20
_BYTES_A_RANK = 48


@torch.no_grad()
def average_tracklets(gallery: Array, gallery_tracks: Array, weight: float = 1.0) -> Array:
    """Each gallery image as (1 - weight) · its own feature + weight · the mean feature of its track.

    Both have unit length, and so has the result; the mean is that of unit features. What cancels itself out is a zero vector.

    Args:
        gallery: (G, D) floats.
        gallery_tracks: (G,) track ids; an image of id -1 is a track of its own.
        weight: how much of the track, in [0, 1]; with 1 all images of a track get one feature.

    Returns:
        (G, D) float32.

    Raises:
        TypeError, ValueError: the arrays do not fit each other, or ``weight`` is outside [0, 1].
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is in [0, 1], got {weight}.")
    (features,) = as_features(gallery, names=("gallery",))
    tracks = TrackGroups.create(gallery_tracks, len(features), features.device)
    scale = inverse_norms(features)
    means = normalize_(weighted_sums(features, tracks.images, scale[tracks.images], tracks.offsets), tracks.sizes)
    mixed = means.mul_(weight)[tracks.of_image].addcmul_(features, scale[:, None], value=1 - weight)
    return give_back(normalize_(mixed, torch.ones_like(scale)), gallery)


class TrackletDistanceRows:
    """``tracklet_distance`` of ``DistanceRows``, computed when read: no second (Q, G) array has to exist.

    Arguments and errors are those of ``tracklet_distance``.
    """

    def __init__(self, distance: DistanceRows, gallery_tracks: Array, reduce: TrackReduction = "mean") -> None:
        if reduce not in get_args(TrackReduction):
            raise ValueError(f"reduce is mean or min, got {reduce!r}.")
        self.shape: tuple[int, int] = tuple(distance.shape)
        self._distance = distance
        self._reduce = reduce
        self._tracks = TrackGroups.create(gallery_tracks, self.shape[1], distance.rows(0, 0).device)

    def rows(self, start: int, stop: int) -> Tensor:
        block, tracks = self._distance.rows(start, stop), self._tracks
        if self._reduce == "min":
            index = tracks.of_image.expand(len(block), -1)
            of_track = block.new_full((len(block), len(tracks)), torch.inf).scatter_reduce_(1, index, block, "amin")
            return of_track[:, tracks.of_image]
        if block.numel() == 0:
            return block
        # An embedding bag adds up in one order on every device, which index_add does not on CUDA.
        of_track = F.embedding_bag(tracks.images, block.T.contiguous(), tracks.offsets, mode="mean")
        return of_track.T.contiguous()[:, tracks.of_image]


def tracklet_distance(distance: Array, gallery_tracks: Array, reduce: TrackReduction = "mean") -> Array:
    """The distance of each query to the track of each gallery image: all images of a track get one distance.

    Args:
        distance: (Q, G), smaller is nearer.
        gallery_tracks: (G,) track ids; an image of id -1 is a track of its own and keeps its distance.
        reduce: "mean" of the distances to the images of the track, or "min", that to its nearest.

    Returns:
        (Q, G); float64 if ``distance`` is float64, else float32.

    Raises:
        TypeError, ValueError: the arrays do not fit each other, or ``reduce`` is not known.
    """
    with torch.no_grad():
        return give_back(dense_distance(TrackletDistanceRows(as_distance_rows(distance), gallery_tracks, reduce)), distance)


@torch.no_grad()
def pull_tracklets(ranking: Array, gallery_tracks: Array, top_k: int = 100) -> Array:
    """Walks each ranking, and where an image's track was not met before, appends all images of the track, in gallery order.

    Source: Dual Embedding Expansion for Vehicle Re-identification, CVPRW 2020, Sec. 4, "pulling in the tracklets".

    Args:
        ranking: (Q, K) gallery indices, nearest first; -1 is no image.
        gallery_tracks: (G,) track ids; an image of id -1 is a track of its own.
        top_k: how many images to keep.

    Returns:
        (Q, top_k) int64 gallery indices, -1 where none is left.

    Raises:
        TypeError: ``ranking`` is no array.
        ValueError: ``ranking`` or ``gallery_tracks`` are not as above, or ``top_k`` is below 1.
    """
    if not isinstance(ranking, Tensor | np.ndarray):
        raise TypeError(f"The ranking is a Tensor or a NumPy array, got {type(ranking).__name__}.")
    top_k = as_count(top_k, "top_k")
    if isinstance(ranking, np.ndarray):
        kind = np.int64 if ranking.dtype.kind in "iu" else ranking.dtype
        ranks = torch.from_numpy(np.require(ranking, kind, ["C", "W"]))
    else:
        ranks = ranking.detach()
    if ranks.ndim != 2 or (ranks.numel() and (ranks.is_floating_point() or ranks.dtype == torch.bool)):
        raise ValueError(f"The ranking is (Q, K) integers, got {ranks.dtype} {tuple(ranks.shape)}.")
    tracks = TrackGroups.create(gallery_tracks, len(gallery_tracks), ranks.device)
    num_images = len(tracks.of_image)
    if ranks.numel() and not -1 <= int(ranks.min()) <= int(ranks.max()) < num_images:
        raise ValueError(f"The ranking has indices {int(ranks.min())} to {int(ranks.max())}, the gallery {num_images} images.")
    pulled = torch.full((len(ranks), top_k), -1, device=ranks.device)

    def work(start: int, stop: int) -> None:
        # An image is there once its rank has been met, so top_k ranks are enough unless some are empty or the same.
        block = ranks[start:stop].long()
        result = _pulled(block[:, :top_k], tracks, top_k)
        short = (result[:, -1] < 0).nonzero().flatten()
        if block.shape[1] > top_k and len(short):
            result[short] = _pulled(block[short], tracks, top_k)
        pulled[start:stop] = result

    rows = max(1, _BLOCK_BYTES // (_BYTES_A_RANK * (ranks.shape[1] + top_k + len(tracks))))
    for_each_block(work, len(ranks) if ranks.shape[1] else 0, rows, ranks.device)
    return give_back(pulled, ranking)


def _pulled(ranks: Tensor, tracks: TrackGroups, top_k: int) -> Tensor:
    """The first ``top_k`` images (B, top_k) of the tracks of ``ranks`` (B, K), -1 where there are fewer."""
    # Track T stands for "no image".
    track = torch.where(ranks < 0, len(tracks), F.pad(tracks.of_image, (0, 1))[ranks])
    position = torch.arange(ranks.shape[1], device=ranks.device).expand_as(ranks)
    first = position.new_full((len(ranks), len(tracks) + 1), ranks.shape[1]).scatter_reduce_(1, track, position, "amin")
    new = (first.gather(1, track) == position) & (track < len(tracks))
    sizes = torch.where(new, F.pad(tracks.sizes, (0, 1))[track], 0)
    ends = sizes.cumsum(dim=1)
    # Slot s is filled from the first rank at which more than s images have been appended.
    slots = torch.arange(top_k, device=ranks.device).repeat(len(ranks), 1)
    rank = torch.searchsorted(ends, slots, right=True).clamp_max_(ranks.shape[1] - 1)
    within = slots - (ends - sizes).gather(1, rank)
    filled = slots < ends[:, -1:]
    source = F.pad(tracks.offsets, (0, 1))[track.gather(1, rank)] + within
    return torch.where(filled, tracks.images[torch.where(filled, source, 0)], -1) if len(tracks) else torch.full_like(slots, -1)
