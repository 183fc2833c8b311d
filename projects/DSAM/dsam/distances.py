"""How far images of one identity, and of different ones, lie apart in both feature spaces.

Shape shorthand: N images; M identities; D feature dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["ClassDistances", "class_distances"]

_BLOCK = 4096


class ClassDistances(NamedTuple):
    """Means over all pairs of images. NaN where there is no pair of the kind."""

    intra: float
    """Root mean square Euclidean distance of two images of one identity, in the original feature space."""
    inter: float
    """The same of two images of different identities."""
    intra_angle: float
    """Angle, in degrees, whose cosine is the mean cosine of two images of one identity."""
    inter_angle: float
    """The same of two images of different identities."""


def class_distances(features: Sequence[Tensor], pids: Sequence[Tensor]) -> ClassDistances:
    """Distances over all pairs of two different images, exact, without making the pairs.

    With n images x_i, the squared distances of all ordered pairs sum to 2 n sum |x_i|² - 2 |sum x_i|², and the cosines of unit
    vectors to |sum x_i|² - n: over the images of an identity, and over all images less that. Memory is (M, D) for the sums and
    one block of rows, in float64, around the mean of all images.

    Args:
        features: sets of (N, D) features, such as query and gallery, judged together.
        pids: their (N,) identities.

    Raises:
        ValueError: there is no image, or a set's features and identities differ in number.
    """
    if [len(part) for part in features] != [len(part) for part in pids] or not sum(map(len, features)):
        raise ValueError(
            f"class_distances needs images, and an identity for each: got {[len(part) for part in features]} features and "
            f"{[len(part) for part in pids]} identities."
        )
    identities, labels = torch.unique(torch.cat(list(pids)), return_inverse=True)
    count = torch.bincount(labels, minlength=len(identities)).double()
    mean = sum(part.sum(dim=0, dtype=torch.float64) for part in features) / len(labels)
    shape = (len(identities), features[0].shape[1])
    sums, directions = (torch.zeros(shape, dtype=torch.float64, device=mean.device) for _ in range(2))
    squares = torch.zeros(len(identities), dtype=torch.float64, device=mean.device)
    blocks = [block for part in features for block in part.split(_BLOCK)]
    for block, label in zip(blocks, labels.to(mean.device).split([len(block) for block in blocks]), strict=True):
        centered = block.double() - mean
        sums.index_add_(0, label, centered)
        squares.index_add_(0, label, centered.square().sum(dim=1))
        directions.index_add_(0, label, normalize(block.double(), dim=1))
    count, total = count.to(mean.device), len(labels)

    distance_of_one = (2 * count * squares - 2 * sums.square().sum(dim=1)).sum().item()
    distance_of_all = (2 * total * squares.sum() - 2 * sums.sum(dim=0).square().sum()).item()
    cosine_of_one = (directions.square().sum(dim=1) - count).sum().item()
    cosine_of_all = (directions.sum(dim=0).square().sum() - total).item()
    pairs_of_one = (count * (count - 1)).sum().item()
    pairs_of_two = total * (total - 1) - pairs_of_one
    return ClassDistances(
        intra=_root_mean(distance_of_one, pairs_of_one),
        inter=_root_mean(distance_of_all - distance_of_one, pairs_of_two),
        intra_angle=_angle(cosine_of_one, pairs_of_one),
        inter_angle=_angle(cosine_of_all - cosine_of_one, pairs_of_two),
    )


def _root_mean(total: float, pairs: float) -> float:
    return math.sqrt(max(total, 0) / pairs) if pairs else math.nan


def _angle(total: float, pairs: float) -> float:
    return math.degrees(math.acos(min(max(total / pairs, -1), 1))) if pairs else math.nan
