"""Ring loss (Zheng, Pal and Savvides, CVPR 2018): features of one length.

Shape shorthand: B images; D feature dimensions.
"""

import torch
from fastreid.config import CfgNode
from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.registry import LOSS_REGISTRY

__all__ = ["RingLoss", "ring_loss"]


def ring_loss(features: Tensor, radius: Tensor) -> Tensor:
    """Half the mean squared difference of the features' Euclidean norms from ``radius``: L_R without its weight.

    Args:
        features: (B, D).
        radius: R, a scalar.
    """
    norms = torch.linalg.vector_norm(features, dim=1)
    return (norms - radius).square().mean() / 2


@LOSS_REGISTRY.register()
class RingLoss(nn.Module):
    """``ring_loss`` times lambda, with the radius R as a parameter. Reads TEMPLATE.SCALE and TEMPLATE.RADIUS."""

    def __init__(self, cfg: CfgNode) -> None:
        """
        Raises:
            InputError: TEMPLATE.RADIUS is not above 0.
        """
        super().__init__()
        if cfg.TEMPLATE.RADIUS <= 0:
            raise InputError(f"TEMPLATE.RADIUS is {cfg.TEMPLATE.RADIUS}: a norm is above 0.")
        self.scale = cfg.TEMPLATE.SCALE
        self.radius = nn.Parameter(torch.tensor(float(cfg.TEMPLATE.RADIUS)))

    def forward(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """
        Args:
            outputs: the head's; ``features`` (B, D) in float32.
            targets: (B,) identities, which this loss does not need.
        """
        return self.scale * ring_loss(outputs["features"], self.radius)
