"""A gallery of tracks (tracklets: successive images of one vehicle in one camera) in place of single images.

Shape shorthand: Q queries, G gallery images, T gallery tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.evaluation.rules import MatchRule
from vreid_common.structures import UNKNOWN, DistanceRows, FeatureSet

__all__ = ["TrackRows", "Tracks", "group_tracks"]


@dataclass(frozen=True, eq=False)
class Tracks:
    """The tracks of a gallery, in the order of their track ids.

    Attributes:
        of_image: (G,) int64 index of each image's track.
        pids, camids: (T,) int64.
        view_ids: (T,) int64, ``UNKNOWN`` where the images of a track show more than one view.
    """

    of_image: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    view_ids: np.ndarray

    def with_another_image(self, own: tuple[np.ndarray, np.ndarray]) -> MatchRule:
        """Tracks that hold nothing but the query's own picture are junk; ``own`` are pairs of queries and gallery images."""
        query, images = own
        num_tracks = len(self.pids)
        sizes = np.bincount(self.of_image, minlength=num_tracks)
        pairs, counts = np.unique(query * num_tracks + self.of_image[images], return_counts=True)
        empty = pairs[counts == sizes[pairs % num_tracks]]
        return lambda q, t: ~np.isin(q * num_tracks + t, empty)


def group_tracks(gallery: FeatureSet) -> Tracks:
    """Groups gallery images by track id.

    Raises:
        InputError: an image has no track id, or a track more than one identity or camera.
    """
    track_ids = gallery.track_ids.numpy()
    without = np.flatnonzero(track_ids == UNKNOWN)
    if len(without):
        raise InputError(
            f"Image-to-track evaluation needs a track id for every gallery image, but {len(without)} of {len(gallery)} have "
            f"none, the first being {gallery.paths[without[0]] or f'row {without[0]}'}: choose another TEST.PROTOCOL."
        )
    ids, first, of_image = np.unique(track_ids, return_index=True, return_inverse=True)
    labels = {name: getattr(gallery, name).numpy() for name in ("pids", "camids", "view_ids")}
    mixed = {name: values != values[first][of_image] for name, values in labels.items()}
    for name in ("pids", "camids"):
        if mixed[name].any():
            track = ids[of_image[mixed[name]][0]]
            raise InputError(f"Track {track} of the gallery has images of more than one value of {name}: mend the track ids.")
    views = labels["view_ids"][first]
    views[of_image[mixed["view_ids"]]] = UNKNOWN
    return Tracks(of_image, labels["pids"][first], labels["camids"][first], views)


class TrackRows:
    """Distance to a track: the smallest distance to one of its images.

    Args:
        distance: (Q, G) distances to images.
        of_image: (G,) int64 index of each image's track.
        num_tracks: T.
        own: indices of queries, rising, and of gallery images that are their own pictures, and so in no track for them.
    """

    def __init__(
        self, distance: DistanceRows, of_image: np.ndarray, num_tracks: int, own: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self._own = (np.empty(0, np.int64), np.empty(0, np.int64)) if own is None else own
        self._distance = distance
        self._of_image = torch.from_numpy(of_image)
        self._num_tracks = num_tracks

    @property
    def shape(self) -> tuple[int, int]:
        return self._distance.shape[0], self._num_tracks

    def rows(self, start: int, stop: int) -> Tensor:
        block = self._distance.rows(start, stop)
        first, last = np.searchsorted(self._own[0], [start, stop])
        if last > first:
            row, image = (torch.from_numpy(indices[first:last]).to(block.device) for indices in self._own)
            block = block.index_put((row - start, image), block.new_tensor(torch.inf))
        nearest = block.new_full((len(block), self._num_tracks), torch.inf)
        return nearest.scatter_reduce_(1, self._of_image.to(block.device).expand(len(block), -1), block, "amin")
