"""The losses of every part (Eq. 1-3).

Shape shorthand: N images of a batch; D feature dimensions.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vreid_common.config import CfgNode
from vreid_common.errors import InputError
from vreid_common.modeling import batch_hard, gather_batch, paired_euclidean
from vreid_common.registry import LOSS_REGISTRY

__all__ = ["BatchHardTripletLoss", "SmoothedCrossEntropyLoss"]


@LOSS_REGISTRY.register()
class SmoothedCrossEntropyLoss(nn.Module):
    """Cross-entropy with label smoothing, Eq. 1-2: with K classes, the target is 1 - ε(K-1)/K, every other class ε/K.

    FastReID's gives the others ε/(K-1), and so the target less. Eq. 1 is printed without its minus sign; the mean is
    over the batch.

    Reads ε and the weight from MODEL.LOSSES.CE.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.epsilon: float = cfg.MODEL.LOSSES.CE.EPSILON
        self.scale: float = cfg.MODEL.LOSSES.CE.SCALE
        if not 0 <= self.epsilon <= 1:
            raise InputError(f"MODEL.LOSSES.CE.EPSILON is {self.epsilon}: SmoothedCrossEntropyLoss takes 0 to 1.")

    def forward(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """
        Args:
            outputs: the head's outputs, of which ``cls_outputs`` (N, K) is used.
            targets: (N,) int64 identities.
        """
        return self.scale * cross_entropy(outputs["cls_outputs"], targets, label_smoothing=self.epsilon)


@LOSS_REGISTRY.register()
class BatchHardTripletLoss(nn.Module):
    """Triplet loss with batch-hard mining, Eq. 3: mean of [D(a, p) - D(a, n) + m]_+ over the anchors of all processes' batch.

    p is the anchor's farthest positive and n its nearest negative, by Euclidean distance; an anchor without one of them is left
    out. Identities may have different numbers of images, and duplicates have distance 0 and a finite gradient.

    Reads the margin m and the weight from MODEL.LOSSES.TRI.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.margin: float = cfg.MODEL.LOSSES.TRI.MARGIN
        self.scale: float = cfg.MODEL.LOSSES.TRI.SCALE

    def forward(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """
        Args:
            outputs: the head's outputs, of which ``features`` (N, D) is used.
            targets: (N,) int64 identities.
        """
        features, targets = gather_batch(outputs["features"]), gather_batch(targets)
        pairs = batch_hard(features, targets)
        to_positive = paired_euclidean(features, features[pairs.positive])
        to_negative = paired_euclidean(features, features[pairs.negative])
        loss = torch.relu(to_positive - to_negative + self.margin)
        valid = pairs.has_positive & pairs.has_negative
        # Of a batch without a triplet 0 with zero gradients, which DDP waits for.
        return self.scale * loss.where(valid, loss * 0).sum() / valid.sum().clamp(min=1)
