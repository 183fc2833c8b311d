"""Which side of a vehicle an image shows, where no label says so.

Shape shorthand: B images; C, H, W a feature map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from ealn.views import batch_mean
from vreid_common.structures import UNKNOWN, VIEWS

__all__ = ["ViewClassifier"]


class ViewClassifier(nn.Module):
    """A linear layer on D_emb's pooled feature map, which it takes as it is: it does not train D_emb.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, len(VIEWS))

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps (B, C, H, W) → logits (B, 3) of ``structures.VIEWS``."""
        return self.linear(adaptive_avg_pool2d(maps.detach(), 1).flatten(1))

    def loss(self, maps: Tensor, view_ids: Tensor) -> Tensor:
        """Cross-entropy over the images whose view (B,) is known."""
        terms = cross_entropy(self(maps).float(), view_ids, ignore_index=UNKNOWN, reduction="none")
        return batch_mean(terms, view_ids != UNKNOWN)

    def complete(self, maps: Tensor, view_ids: Tensor | None) -> Tensor:
        """Views (B,): the labels, and what is seen in images that have none."""
        seen = self(maps).argmax(dim=1)
        return seen if view_ids is None else torch.where(view_ids == UNKNOWN, seen, view_ids)
