"""The part-based network: a shared trunk and a branch of its own for each way to cut the feature map (Sec. 3.1, Fig. 2).

Shape shorthand: B images; C, H, W a feature map; D dimensions of a part's feature; P parts.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from fastreid.config import CfgNode, configurable
from fastreid.modeling.losses import log_accuracy
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from torch import Tensor, nn

from dex.heads import branch_partitions
from vreid_common.config import BASELINE_LOSSES
from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline
from vreid_common.modeling.backbones import as_sequence

__all__ = ["PartBased"]


@META_ARCH_REGISTRY.register()
class PartBased(VehicleBaseline):
    """Any backbone that applies its parts one after another, cut after DEX.LAST_SHARED_BLOCK (conv4_1 by default).

    What comes before is the trunk, which the branches share; each branch has its own copy of what comes after, starting from
    the same (pretrained) weights. Height, width and channels are cut by ``PartHeads``; every part has its classifier and its
    losses, of which the means over the parts are trained. Evaluation returns the parts' features side by side, (B, P·D).
    """

    @configurable
    def __init__(self, *, branches: Sequence[nn.Module], **baseline: Any) -> None:
        """
        Args:
            branches: a copy of the backbone's last layers for each branch of the heads.
            baseline: ``VehicleBaseline``'s arguments; the backbone is the trunk.
        """
        super().__init__(**baseline)
        self.branches = nn.ModuleList(branches)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        if cfg.MODEL.HEADS.NAME != "PartHeads":
            raise InputError(f"MODEL.HEADS.NAME is {cfg.MODEL.HEADS.NAME}: the meta-architecture PartBased needs PartHeads.")
        others = [name for name in cfg.MODEL.LOSSES.NAME if name in BASELINE_LOSSES]
        if others:
            raise InputError(
                f"MODEL.LOSSES.NAME lists {', '.join(others)}: PartBased takes registered losses, SmoothedCrossEntropyLoss and "
                "BatchHardTripletLoss in their place."
            )
        arguments = super().from_config(cfg)
        parts = as_sequence(arguments["backbone"])
        last = cfg.DEX.LAST_SHARED_BLOCK
        if last not in parts:
            raise InputError(
                f"DEX.LAST_SHARED_BLOCK is {last!r}, which the backbone does not have: use one of {', '.join(parts)}."
            )
        cut = list(parts).index(last) + 1
        layers = list(parts.values())
        own = nn.Sequential(*layers[cut:])
        arguments["backbone"] = nn.Sequential(*layers[:cut])
        arguments["branches"] = [copy.deepcopy(own) for _ in branch_partitions(cfg)]
        _check_channels(cfg, arguments["backbone"], own)
        return arguments

    def forward(self, batched_inputs: dict[str, Any]) -> Tensor | dict[str, Tensor]:
        """
        Args:
            batched_inputs: FastReID's batch dict; ``images`` (B, 3, H, W), and ``targets`` (B,) int64 in training.

        Returns:
            In training the losses by name, in evaluation the (B, P·D) features.
        """
        shared = self.backbone(self.preprocess_image(batched_inputs))
        maps = [branch(shared) for branch in self.branches]
        if not self.training:
            return self.heads(maps)
        targets = batched_inputs["targets"].to(shared.device)
        return self.losses(self.heads(maps, targets), targets)

    def losses(self, outputs: Sequence[dict[str, Tensor]], gt_labels: Tensor) -> dict[str, Tensor]:
        """Each loss of ``MODEL.LOSSES.NAME``, as the mean over the parts.

        Args:
            outputs: of each part ``cls_outputs`` and ``pred_class_logits`` (B, classes) and ``features`` (B, D).
            gt_labels: (B,) int64 identities.
        """
        outputs = [{key: value.float() for key, value in output.items()} for output in outputs]
        log_accuracy(torch.stack([output["pred_class_logits"].detach() for output in outputs]).mean(dim=0), gt_labels)
        with torch.autocast(gt_labels.device.type, enabled=False):
            return {
                key: torch.stack([loss(output, gt_labels) for output in outputs]).mean()
                for key, loss in self.registered_losses.items()
            }


@torch.no_grad()
def _check_channels(cfg: CfgNode, trunk: nn.Module, own: nn.Module) -> None:
    """Sends one image through, in evaluation mode, so that no statistics change.

    Raises:
        InputError: the branches do not give feature maps of MODEL.BACKBONE.FEAT_DIM channels.
    """
    modes = [(module, module.training) for part in (trunk, own) for module in part.modules()]
    shape = own.eval()(trunk.eval()(torch.zeros(1, 3, 64, 64))).shape
    for module, training in modes:
        module.training = training
    if len(shape) != 4 or shape[1] != cfg.MODEL.BACKBONE.FEAT_DIM:
        raise InputError(
            f"MODEL.BACKBONE.FEAT_DIM is {cfg.MODEL.BACKBONE.FEAT_DIM}, but the backbone gives {tuple(shape[1:])} for an "
            "image: set it to the first of these."
        )
