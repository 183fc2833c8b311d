"""The ranking of ``pull_tracklets`` as a distance.

Shape shorthand: Q queries, G gallery images, T tracks, B queries of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array
from vreid_common.reranking.track_groups import TrackGroups
from vreid_common.structures import DistanceRows

__all__ = ["PulledTrackletRows"]

# Places that are computed at a time; each needs some 40 bytes on the way.
_PLACES = 1 << 20


class PulledTrackletRows:
    """The place of each gallery image in the ranking that ``pull_tracklets`` makes of the whole ranking by ``distance``.

    A track stands where its nearest image does, so the tracks are sorted instead of the images.

    Args:
        distance: (Q, G), smaller is nearer.
        gallery_tracks: (G,) track ids; an image of id -1 is a track of its own.

    Raises:
        ValueError: ``gallery_tracks`` are no G integers.
    """

    def __init__(self, distance: DistanceRows, gallery_tracks: Array) -> None:
        self.shape: tuple[int, int] = tuple(distance.shape)
        self._distance = distance
        self._tracks = TrackGroups.create(gallery_tracks, self.shape[1], distance.rows(0, 0).device)
        images, offsets = self._tracks.images, self._tracks.offsets
        self._position = torch.arange(self.shape[1], device=images.device)
        # Place of each image among those of its track.
        self._within = torch.empty_like(images).scatter_(0, images, self._position - offsets[self._tracks.of_image[images]])

    def rows(self, start: int, stop: int) -> Tensor:
        size = max(1, _PLACES // max(1, self.shape[1]))
        # float32 is exact up to 16 million images.
        places = torch.empty(max(stop - start, 0), self.shape[1], device=self._position.device)
        for first in range(start, stop, size):
            last = min(first + size, stop)
            places[first - start : last - start] = self._places(self._distance.rows(first, last))
        return places

    def _places(self, block: Tensor) -> Tensor:
        index = self._tracks.of_image.expand(len(block), -1)
        nearest = block.new_full((len(block), len(self._tracks)), torch.inf).scatter_reduce_(1, index, block, "amin")
        # Tracks that are equally near stand as the first of their nearest images do.
        place = torch.where(block == nearest.gather(1, index), self._position, self.shape[1])
        first = place.new_full(nearest.shape, self.shape[1]).scatter_reduce_(1, index, place, "amin")
        order = first.argsort(dim=1)
        order = order.gather(1, nearest.gather(1, order).argsort(dim=1, stable=True))
        sizes = self._tracks.sizes[order]
        begin = torch.empty_like(order).scatter_(1, order, sizes.cumsum(dim=1) - sizes)
        return begin.gather(1, index).add_(self._within)
