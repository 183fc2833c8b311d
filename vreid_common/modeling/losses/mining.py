"""Batch-hard mining.

Shape shorthand: N samples of a batch; D feature dimensions.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vreid_common.modeling.losses.distance import pairwise_euclidean

__all__ = ["HardPairs", "batch_hard"]


class HardPairs(NamedTuple):
    """Each sample's hardest positive and negative, as indices into the batch.

    ``positive[i]`` means nothing where ``has_positive[i]`` is False (the only image of its identity in the batch), nor does
    ``negative[i]`` where ``has_negative[i]`` is False (a batch of one identity): leave those anchors out of the mean.
    """

    positive: Tensor
    """(N,) int64: the farthest other sample of the same identity."""
    negative: Tensor
    """(N,) int64: the nearest sample of another identity."""
    has_positive: Tensor
    """(N,) bool."""
    has_negative: Tensor
    """(N,) bool."""


@torch.no_grad()
def batch_hard(features: Tensor, targets: Tensor) -> HardPairs:
    """Finds each sample's farthest positive and nearest negative in the batch (Hermans et al., arXiv:1703.07737, Sec. 2).

    Identities may have different numbers of samples; among equal distances the lowest index is taken. Only indices are
    returned, so that a loss computes, and backpropagates through, the N distances that it needs instead of all N².

    Args:
        features: (N, D) features that define "far".
        targets: (N,) identities.
    """
    distance = pairwise_euclidean(features)
    same = targets[:, None] == targets[None, :]
    positive = same & ~torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    return HardPairs(
        positive=distance.masked_fill(~positive, -1.0).argmax(dim=1),
        negative=distance.masked_fill(same, torch.inf).argmin(dim=1),
        has_positive=positive.any(dim=1),
        has_negative=(~same).any(dim=1),
    )
