"""Fusing the distance of identity with those of orientation and camera.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, give_back
from vreid_common.reranking.dense import dense_distance
from vreid_common.structures import DistanceRows, as_distance_rows

__all__ = ["FusedDistanceRows", "fuse_distances"]


class FusedDistanceRows:
    """``fuse_distances`` of ``DistanceRows``, computed when read: no second (Q, G) array has to exist.

    Arguments and errors are those of ``fuse_distances``.
    """

    def __init__(
        self,
        identity: DistanceRows,
        orientation: DistanceRows | None = None,
        camera: DistanceRows | None = None,
        lambda_orientation: float = 0.1,
        lambda_camera: float = 0.1,
    ) -> None:
        self.shape: tuple[int, int] = tuple(identity.shape)
        self._identity = identity
        self._subtracted: list[tuple[DistanceRows, float]] = []
        for name, distance, factor in (("orientation", orientation, lambda_orientation), ("camera", camera, lambda_camera)):
            if not math.isfinite(factor):
                raise ValueError(f"lambda_{name} is a finite number, got {factor}.")
            if distance is None:
                continue
            if tuple(distance.shape) != self.shape:
                raise ValueError(f"The {name} distance is {tuple(distance.shape)}, that of identity {self.shape}.")
            self._subtracted.append((distance, factor))

    def rows(self, start: int, stop: int) -> Tensor:
        block = self._identity.rows(start, stop).clone()
        for distance, factor in self._subtracted:
            block.sub_(distance.rows(start, stop).to(block.device), alpha=factor)
        return block


def fuse_distances(
    identity: Array,
    orientation: Array | None = None,
    camera: Array | None = None,
    lambda_orientation: float = 0.1,
    lambda_camera: float = 0.1,
) -> Array:
    """identity - lambda_orientation · orientation - lambda_camera · camera: a likeness of view or camera counts for less.

    Source: Huynh et al., A Strong Baseline for Vehicle Re-Identification, CVPRW 2021 ("Cybercore"): D_v - λ1·D_o - λ2·D_c, with
    squared Euclidean distances. The result may be negative; only its order has a meaning.

    Args:
        identity: (Q, G) distances of the vehicle features.
        orientation: (Q, G) distances of the orientation features; without them the term is left out.
        camera: (Q, G) distances of the camera features, likewise.
        lambda_orientation: λ1.
        lambda_camera: λ2.

    Returns:
        (Q, G) in the kind of array that ``identity`` is; float64 if that is float64, else float32.

    Raises:
        TypeError: a distance is no array.
        ValueError: a shape is not that of ``identity``, or a factor is not finite.
    """
    optional = (None if distance is None else as_distance_rows(distance) for distance in (orientation, camera))
    fused = FusedDistanceRows(as_distance_rows(identity), *optional, lambda_orientation, lambda_camera)
    with torch.no_grad():
        return give_back(dense_distance(fused), identity)
