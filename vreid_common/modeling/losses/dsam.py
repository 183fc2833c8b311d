"""The DSAM loss: distance shrinking with angular marginalizing (Kong et al., AAAI 2021, Eq. 6-13).

Shape shorthand: N images of the batch of all processes; D feature dimensions.

All is computed in float32 at least, whatever autocast says. Identities may have different numbers of images, one included.
"""

from __future__ import annotations

import torch
from fastreid.config import CfgNode
from torch import Tensor, nn

from vreid_common.config import check_values
from vreid_common.modeling.losses.angle import pairwise_cosine
from vreid_common.modeling.losses.distance import as_float
from vreid_common.modeling.losses.gather import gather_batch
from vreid_common.registry import LOSS_REGISTRY

__all__ = ["DSAMLoss", "angular_margin", "distance_shrinking"]


def distance_shrinking(features: Tensor, targets: Tensor) -> Tensor:
    """L_pos of each anchor (Eq. 7): the root of its summed squared distances to all images of its identity.

    No pair of images is compared: over n images, sum_i |x_a - x_i|² is n |x_a|² - 2 x_a · sum_i x_i + sum_i |x_i|². The
    identity's first image is taken as the origin. As it is a positive itself, no term is then much larger than the sum, so no
    digits are lost, wherever the features lie, and duplicates are exactly 0 apart. The gradient at 0 is 0.

    Args:
        features: (N, D) in the original feature space.
        targets: (N,) identities.

    Returns:
        (N,), 0 for the only image of an identity.
    """
    x = as_float(features)
    first = (targets[:, None] == targets).byte().argmax(dim=1)  # serves as the identity's number as well
    x = x - x.detach()[first]
    size = torch.linalg.vector_norm(x.detach(), ord=torch.inf)
    size = size.where(size > 0, 1)
    x = x / size  # the squares of huge differences would overflow
    square = (x * x).sum(dim=1)
    total = _of_identity(torch.ones_like(square), first) * square + _of_identity(square, first)
    total = total - 2 * (x * _of_identity(x, first)).sum(dim=1)
    return size * total.where(total > 0, 1).sqrt().where(total > 0, 0)


def angular_margin(features: Tensor, targets: Tensor, margin: float) -> Tensor:
    """L_neg of each anchor (Eq. 11-12): by how much negatives are not ``margin`` farther than the farthest positive.

    Images differ by D = exp(2 - 2 cos) - 1. The mean is over the anchor's negatives, (P - 1) Q of them in the paper's batches.

    Args:
        features: (N, D); only their directions count.
        targets: (N,) identities.
        margin: m_neg.

    Returns:
        (N,), 0 in a batch of one identity. The farthest positive of an identity's only image is itself, at D = 0.
    """
    difference = torch.expm1(2 - 2 * pairwise_cosine(features))
    same = targets[:, None] == targets
    others = same.clone().fill_diagonal_(False)
    farthest = difference.where(others, 0).amax(dim=1, keepdim=True)
    lacking = torch.relu(margin - (difference - farthest)).where(~same, 0)
    return lacking.sum(dim=1) / (~same).sum(dim=1).clamp(min=1)


def _of_identity(values: Tensor, first: Tensor) -> Tensor:
    """Each image's sum of (N, ...) ``values`` over its identity."""
    return torch.zeros_like(values).index_add(0, first, values)[first]


@LOSS_REGISTRY.register()
class DSAMLoss(nn.Module):
    """Eq. 13: the mean over all anchors of the batch of ``L_pos + gamma * L_neg``, times the weight lambda of Eq. 14.

    The batch is that of all processes. Reads MODEL.LOSSES.DSAM.

    Raises:
        InputError: the margin, gamma or the weight is negative.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        node = cfg.MODEL.LOSSES.DSAM
        check_values(cfg, "MODEL.LOSSES.DSAM")
        self.margin: float = node.MARGIN
        self.gamma: float = node.GAMMA
        self.scale: float = node.SCALE

    def forward(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """
        Args:
            outputs: the head's outputs, of which ``features`` (this process's images, D) is used.
            targets: their int64 identities.
        """
        features, targets = gather_batch(outputs["features"]), gather_batch(targets)
        negative = angular_margin(features, targets, self.margin)
        return self.scale * (self.shrinking(features, targets) + self.gamma * negative).mean()

    def shrinking(self, features: Tensor, targets: Tensor) -> Tensor:
        """What pulls the images of an identity together, (N,); a variant of the loss overrides it."""
        return distance_shrinking(features, targets)
