"""Fusing the distance of identity with those of orientation and camera, or the features that these distances are of.

Shape shorthand: Q queries, G gallery images, N images, D dimensions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.dense import dense_distance
from vreid_common.reranking.parameters import as_number
from vreid_common.structures import DistanceRows, as_distance_rows

__all__ = ["FusedDistanceRows", "fuse_distances", "fuse_features"]


class FusedDistanceRows:
    """``fuse_distances`` of ``DistanceRows``, computed when read: no second (Q, G) array has to exist.

    Arguments and errors are those of ``fuse_distances``.

    Attributes:
        factors: λ of what is subtracted, "orientation" and "camera", or one of the two.
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
        self.factors: dict[str, float] = {}
        self._subtracted: list[tuple[DistanceRows, float]] = []
        for name, distance, factor in (("orientation", orientation, lambda_orientation), ("camera", camera, lambda_camera)):
            _check_factor(factor, name)
            if distance is None:
                continue
            if tuple(distance.shape) != self.shape:
                raise ValueError(f"The {name} distance is {tuple(distance.shape)}, that of identity {self.shape}.")
            self._subtracted.append((distance, factor))
            self.factors[name] = factor

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


@torch.no_grad()
def fuse_features(
    identity: Array,
    orientation: Array | None = None,
    camera: Array | None = None,
    lambda_orientation: float = 0.1,
    lambda_camera: float = 0.1,
) -> tuple[Array, int]:
    """Features whose squared Euclidean distance is the fused one, for ``k_reciprocal``, which starts from features.

    D_v - λ1·D_o - λ2·D_c is the squared distance of (v, √λ1·o, √λ2·c) where the dimensions of o and c count negatively, so no
    matrix of distances has to exist. A negative λ adds: its features then count as those of the vehicle do.

    Args:
        identity: (N, D) vehicle features.
        orientation: (N, D') orientation features of the same images; without them the term is left out.
        camera: (N, D'') camera features, likewise.
        lambda_orientation: λ1.
        lambda_camera: λ2.

    Returns:
        The features (N, at most D + D' + D'') float32, and how many of their last dimensions count negatively.

    Raises:
        TypeError, ValueError: the features are no (N, D) floats of one N, or a factor is not finite.
    """
    (features,) = as_features(identity, names=("identity",))
    added, subtracted = [features], []
    for name, further, factor in (("orientation", orientation, lambda_orientation), ("camera", camera, lambda_camera)):
        _check_factor(factor, name)
        if further is None or factor == 0:
            continue
        (part,) = as_features(further, names=(name,))
        if len(part) != len(features):
            raise ValueError(f"There are {len(part)} {name} features and {len(features)} of identity: give the same images.")
        (subtracted if factor > 0 else added).append(part * math.sqrt(abs(factor)))
    parts = added + subtracted
    fused = torch.cat(parts, dim=1) if len(parts) > 1 else features
    return give_back(fused, identity), sum(part.shape[1] for part in subtracted)


def _check_factor(factor: float, name: str) -> None:
    if not math.isfinite(as_number(factor, f"lambda_{name}")):
        raise ValueError(f"lambda_{name} is a finite number, got {factor}.")
