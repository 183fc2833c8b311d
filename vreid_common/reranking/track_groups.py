"""The gallery's images grouped by track.

Shape shorthand: G gallery images, T tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, as_labels
from vreid_common.structures import UNKNOWN

__all__ = ["TrackGroups"]


@dataclass(frozen=True, eq=False)
class TrackGroups:
    """Tracks numbered by their first image, so that ties between tracks are ties by gallery index.

    Attributes:
        of_image: (G,) int64 track of each image.
        images: (G,) int64 images, track by track, rising within a track.
        offsets: (T,) int64, where each track begins in ``images``.
        sizes: (T,) int64 number of images of each track.
    """

    of_image: Tensor
    images: Tensor
    offsets: Tensor
    sizes: Tensor

    @classmethod
    def create(cls, gallery_tracks: Array, size: int, device: torch.device | str = "cpu") -> TrackGroups:
        """Groups by track id; an image whose id is ``UNKNOWN`` (-1) is a track of its own.

        Raises:
            ValueError: ``gallery_tracks`` are no ``size`` integers.
        """
        ids = as_labels(gallery_tracks, size, "gallery_tracks").to(device)
        position = torch.arange(size, device=device)
        _, number = ids.unique(return_inverse=True)
        number = torch.where(ids == UNKNOWN, size + position, number)
        # Numbered by the first image in place of the id.
        _, number = number.unique(return_inverse=True)
        first = torch.full_like(position, size).scatter_reduce_(0, number, position, "amin")[number]
        _, of_image, sizes = first.unique(return_inverse=True, return_counts=True)
        return cls(of_image, of_image.argsort(stable=True), sizes.cumsum(0) - sizes, sizes)

    def __len__(self) -> int:
        return len(self.sizes)
