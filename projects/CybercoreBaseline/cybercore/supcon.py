"""The supervised contrastive loss (Eq. 6).

Source: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, Eq. 2 ("L_out"), with one view of each image.

Shape shorthand: N images; D feature dimensions.
"""

from __future__ import annotations

import torch
from fastreid.config import CfgNode
from torch import Tensor, nn
from torch.nn.functional import normalize

from vreid_common.errors import InputError
from vreid_common.modeling.losses import gather_batch
from vreid_common.registry import LOSS_REGISTRY

__all__ = ["SupConLoss", "supervised_contrastive"]


def supervised_contrastive(features: Tensor, targets: Tensor, temperature: float = 0.07) -> Tensor:
    """The mean over anchors i of -1/|P(i)| Σ_p log(exp(z_i·z_p / τ) / Σ_{a≠i} exp(z_i·z_a / τ)), with z of unit length.

    P(i) are the other images of the anchor's identity. An anchor without any is left out of the mean, but stays one of the
    others' a; identities may have different numbers of images.

    Args:
        features: (N, D) of any float type; computed in float32 at least, outside of autocast.
        targets: (N,) identities.
        temperature: τ > 0.

    Returns:
        Scalar, 0 with zero gradients where no image has a positive.

    Raises:
        ValueError: the shapes do not fit each other, or τ is not above 0.
    """
    if features.ndim != 2 or targets.shape != features.shape[:1]:
        raise ValueError(f"Features are (N, D) and targets (N,), got {tuple(features.shape)} and {tuple(targets.shape)}.")
    if not temperature > 0:
        raise ValueError(f"The temperature is above 0, got {temperature}.")
    with torch.autocast(features.device.type, enabled=False):
        unit = normalize(features if features.dtype == torch.float64 else features.float(), dim=1)
        logits = unit @ unit.T / temperature
        itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
        positive = (targets[:, None] == targets[None, :]) & ~itself
        # Not -inf: the sum over the others of a batch of one would be log 0, whose gradient is NaN even where it is not used.
        others = logits.masked_fill(itself, torch.finfo(logits.dtype).min / 2).logsumexp(dim=1, keepdim=True)
        count = positive.sum(dim=1)
        of_anchor = (others - logits).where(positive, 0).sum(dim=1) / count.clamp(min=1)
        return of_anchor.sum() / (count > 0).sum().clamp(min=1)


@LOSS_REGISTRY.register()
class SupConLoss(nn.Module):
    """``supervised_contrastive`` over the batch of all processes, on the feature that MODEL.HEADS.NECK_FEAT names.

    Reads CYBERCORE.SUPCON.

    Raises:
        InputError: CYBERCORE.SUPCON.TEMPERATURE is not above 0.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.temperature: float = cfg.CYBERCORE.SUPCON.TEMPERATURE
        self.scale: float = cfg.CYBERCORE.SUPCON.SCALE
        if self.temperature <= 0:
            raise InputError(f"CYBERCORE.SUPCON.TEMPERATURE is {self.temperature}: use a number above 0.")

    def forward(self, outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """
        Args:
            outputs: the head's outputs, of which ``features`` (N, D) is used.
            targets: (N,) int64 identities.
        """
        features, targets = gather_batch(outputs["features"]), gather_batch(targets)
        return self.scale * supervised_contrastive(features, targets, self.temperature)
