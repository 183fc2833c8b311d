"""FastReID's ``Baseline`` with losses from both FastReID and ``LOSS_REGISTRY``."""

import re
from typing import Any

import torch
from fastreid.config import CfgNode, configurable
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY, Baseline
from torch import Tensor, nn

from vreid_common.config import BASELINE_LOSSES, check_values
from vreid_common.registry import LOSS_REGISTRY
from vreid_common.weights import load_pretrained, without_file

__all__ = ["VehicleBaseline"]


@META_ARCH_REGISTRY.register()
class VehicleBaseline(Baseline):
    """FastReID's ``Baseline`` whose ``MODEL.LOSSES.NAME`` may list FastReID's losses and registered ones alike.

    A registered loss is called as ``loss(outputs, targets)`` with the head's outputs in float32 and appears in the loss dict
    under its name in snake case: ``ReweightedTripletLoss`` is ``loss_reweighted_triplet``. Losses are computed outside
    autocast, because FastReID's triplet loss multiplies features, and a bfloat16 product loses the distances it compares.

    A file of pretrained weights is read by ``load_pretrained``, whatever the backbone.
    """

    @configurable
    def __init__(self, *, registered_losses: dict[str, nn.Module], **baseline: Any) -> None:
        """
        Args:
            registered_losses: Loss modules by the name they have in the loss dict.
            baseline: FastReID's own arguments.
        """
        super().__init__(**baseline)
        self.registered_losses = nn.ModuleDict(registered_losses)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        check_values(cfg, "MODEL.LOSSES.NAME")
        others = [name for name in cfg.MODEL.LOSSES.NAME if name not in BASELINE_LOSSES]
        registered = {_loss_key(name): LOSS_REGISTRY.get(name)(cfg) for name in others}
        arguments = {**super().from_config(without_file(cfg)), "registered_losses": registered}
        if cfg.MODEL.BACKBONE.PRETRAIN and cfg.MODEL.BACKBONE.PRETRAIN_PATH:
            load_pretrained(arguments["backbone"], cfg.MODEL.BACKBONE.PRETRAIN_PATH)
        return arguments

    def losses(self, outputs: dict[str, Tensor], gt_labels: Tensor) -> dict[str, Tensor]:
        """The losses that ``MODEL.LOSSES.NAME`` lists.

        Args:
            outputs: The head's ``cls_outputs`` and ``pred_class_logits`` (B, classes) and ``features`` (B, D).
            gt_labels: (B,) int64 identities.
        """
        outputs = {key: value.float() for key, value in outputs.items()}
        with torch.autocast(gt_labels.device.type, enabled=False):
            losses = super().losses(outputs, gt_labels)
            for key, loss in self.registered_losses.items():
                losses[key] = loss(outputs, gt_labels)
        return losses


def _loss_key(name: str) -> str:
    return "loss_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removesuffix("Loss")).lower()
