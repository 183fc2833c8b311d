"""WCVL's losses.

Shape shorthand: N images of a batch; D feature dimensions.
"""

import torch
from torch import Tensor, nn

from vreid_common.config import CfgNode
from vreid_common.errors import InputError
from vreid_common.modeling import batch_hard, paired_euclidean
from vreid_common.registry import LOSS_REGISTRY

__all__ = ["CrossViewLoss", "ReweightedTripletLoss"]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of (N,) ``values`` where ``mask``; where it is nowhere true 0, with zero gradients, which DDP waits for."""
    return values.where(mask, values * 0).sum() / mask.sum().clamp(min=1)


class CrossViewLoss(nn.Module):
    """Eq. 3: the distance of each cross-view feature to the global feature of the image's hardest positive.

    The hardest positive is the farthest image of the same identity in the batch, by the global features. It stands for another
    view of the vehicle and is a fixed target: no gradient goes into it. An image without a positive is left out of the mean.

    Args:
        squared: squares the distance; the paper speaks of a mean squared error, but prints the norm.
    """

    def __init__(self, squared: bool = False) -> None:
        super().__init__()
        self.squared = squared

    def forward(self, cross_view: Tensor, global_feature: Tensor, targets: Tensor) -> Tensor:
        """
        Args:
            cross_view: (N, D) x_cv.
            global_feature: (N, D) x_g.
            targets: (N,) int64 identities.

        Returns:
            Scalar, 0 for a batch without any positive pair.
        """
        global_feature = global_feature.detach()
        pairs = batch_hard(global_feature, targets)
        distance = paired_euclidean(cross_view, global_feature[pairs.positive])
        return masked_mean(distance.square() if self.squared else distance, pairs.has_positive)


@LOSS_REGISTRY.register()
class ReweightedTripletLoss(nn.Module):
    """Eq. 4: the hard triplet loss and the cross-view loss on one feature, without a module of its own (Table V).

    With D_p the distance to the hardest positive and D_n to the hardest negative, ``combined`` is the equation's first line,
    ``(beta - 1) D_p + [D_p - D_n + alpha]_+``, and ``bound`` its second, ``[beta D_p - D_n + alpha]_+``, which is never larger.
    Both are the plain hard triplet loss at beta = 1. An anchor without a positive or a negative is left out of the mean.

    Reads WCVL.REWEIGHTED, and alpha and the weight from MODEL.LOSSES.TRI.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.beta: float = cfg.WCVL.REWEIGHTED.BETA
        self.form: str = cfg.WCVL.REWEIGHTED.FORM
        self.margin: float = cfg.MODEL.LOSSES.TRI.MARGIN
        self.scale: float = cfg.MODEL.LOSSES.TRI.SCALE
        if self.form not in ("combined", "bound"):
            raise InputError(f"WCVL.REWEIGHTED.FORM is {self.form!r}; it has to be 'combined' or 'bound'.")
        if self.beta < 1:
            raise InputError(f"WCVL.REWEIGHTED.BETA is {self.beta}; Eq. 4 needs at least 1.")

    def forward(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """
        Args:
            outputs: the head's outputs, of which ``features`` (N, D) is used.
            targets: (N,) int64 identities.
        """
        features = outputs["features"]
        pairs = batch_hard(features, targets)
        to_positive = paired_euclidean(features, features[pairs.positive])
        to_negative = paired_euclidean(features, features[pairs.negative])
        if self.form == "combined":
            loss = (self.beta - 1) * to_positive + torch.relu(to_positive - to_negative + self.margin)
        else:
            loss = torch.relu(self.beta * to_positive - to_negative + self.margin)
        return self.scale * masked_mean(loss, pairs.has_positive & pairs.has_negative)
