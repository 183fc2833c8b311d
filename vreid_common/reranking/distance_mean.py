"""The mean of several models' distances.

Shape shorthand: Q queries, G gallery images, B queries of a block.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, give_back
from vreid_common.reranking.dense import dense_distance
from vreid_common.structures import DistanceRows, as_distance_rows

__all__ = ["MeanDistanceRows", "average_distances"]


class MeanDistanceRows:
    """``average_distances`` of ``DistanceRows``, computed when read: no further (Q, G) array has to exist.

    Arguments and errors are those of ``average_distances``.
    """

    def __init__(self, distances: Sequence[DistanceRows]) -> None:
        if not distances:
            raise ValueError("There is no distance to average.")
        self.shape: tuple[int, int] = tuple(distances[0].shape)
        for place, distance in enumerate(distances):
            if tuple(distance.shape) != self.shape:
                raise ValueError(f"Distance {place} is {tuple(distance.shape)}, the first one {self.shape}.")
        self._distances = tuple(distances)

    def rows(self, start: int, stop: int) -> Tensor:
        first, *others = self._distances
        total = first.rows(start, stop).clone()
        for distance in others:
            total += distance.rows(start, stop).to(total.device)
        return total.div_(len(self._distances))


def average_distances(distances: Sequence[Array]) -> Array:
    """The mean of several models' distances between the same images, which have to be in like units: an ensemble.

    Source: Huynh et al., A Strong Baseline for Vehicle Re-Identification, CVPRW 2021 ("Cybercore"), Sec. 3.4, "Ensemble".

    Args:
        distances: (Q, G) each, smaller is nearer.

    Returns:
        (Q, G) in the kind of array that the first one is; float64 if that is float64, else float32.

    Raises:
        TypeError: a distance is no array.
        ValueError: there is none, or their shapes differ.
    """
    rows = MeanDistanceRows([as_distance_rows(distance) for distance in distances])
    with torch.no_grad():
        return give_back(dense_distance(rows), distances[0])
