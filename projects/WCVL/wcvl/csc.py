"""The class separability criterion (Eq. 6).

Shape shorthand: N images; M identities; D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ClassSeparability", "class_separability"]

_BLOCK = 4096


class ClassSeparability(NamedTuple):
    """The two traces of Eq. 6 and their ratio, as Table VII prints them."""

    between: float
    """trace{S_b}: how far the identities' means lie from the global mean."""
    within: float
    """trace{S_w}: how far images lie from their identity's mean."""

    @property
    def csc(self) -> float:
        """trace{S_b} / trace{S_w}; infinite where every identity is one point."""
        return self.between / self.within if self.within else float("inf")


def class_separability(features: Sequence[Tensor], pids: Sequence[Tensor]) -> ClassSeparability:
    """Traces of the between- and within-identity scatter matrices (Eq. 6), Prob_i being an identity's share of the images.

    A trace is a sum of squared distances to means, so no D×D matrix is made: memory is (M, D) for the means and one block
    of rows, in float64, because the two traces are differences of large sums.

    Args:
        features: sets of (N, D) features, such as query and gallery, judged together.
        pids: their (N,) identities.

    Raises:
        ValueError: there is no image, or a set's features and identities differ in number.
    """
    if not sum(map(len, features)):
        raise ValueError("class_separability needs at least one image.")
    identities, labels = torch.unique(torch.cat(list(pids)), return_inverse=True)
    count = torch.bincount(labels, minlength=len(identities)).double()
    sums = torch.zeros(len(identities), features[0].shape[1], dtype=torch.float64, device=features[0].device)
    for block, label in _blocks(features, labels):
        sums.index_add_(0, label, block)
    means = sums / count[:, None].to(sums.device)
    global_mean = sums.sum(0) / count.sum()

    within = 0.0
    for block, label in _blocks(features, labels):
        within += (block - means[label]).square().sum().item()
    between = ((means - global_mean).square().sum(1).cpu() * count.cpu()).sum().item()
    return ClassSeparability(between / len(labels), within / len(labels))


def _blocks(features: Sequence[Tensor], labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    start = 0
    for part in features:
        for rows in part.split(_BLOCK):
            yield rows.double(), labels[start : start + len(rows)].to(rows.device)
            start += len(rows)
    if start != len(labels):
        raise ValueError(f"class_separability got {start} features and {len(labels)} identities.")
