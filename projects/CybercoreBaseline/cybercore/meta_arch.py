"""The Cybercore meta-architecture: FastReID's baseline with MixStyle in its backbone and a weight before its ID loss."""

from __future__ import annotations

from typing import Any

import torch
from fastreid.config import CfgNode, configurable
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from torch import Tensor

from cybercore.mixstyle import MixStyle, insert_mixstyle
from vreid_common.modeling import VehicleBaseline

__all__ = ["ID_LOSS", "Cybercore"]

ID_LOSS = "loss_cls"
"""FastReID's name of the cross-entropy loss; all others are metric losses."""


@META_ARCH_REGISTRY.register()
class Cybercore(VehicleBaseline):
    """``VehicleBaseline`` with what CYBERCORE.MIXSTYLE adds to the backbone.

    Attributes:
        id_weight: λ_ID, which the cross-entropy loss is multiplied by; 1 unless something adapts it.
        weighted_losses: (2,) the last batch's ID loss and metric loss as they were added up, on the model's device.
    """

    @configurable
    def __init__(self, *, mix_styles: list[MixStyle], **baseline: Any) -> None:
        """
        Args:
            mix_styles: the layers that are in the backbone.
            baseline: ``VehicleBaseline``'s own arguments.
        """
        super().__init__(**baseline)
        self._mix_styles = tuple(mix_styles)  # a tuple: the backbone owns them
        self.id_weight = 1.0
        self.weighted_losses = torch.zeros(2)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        arguments = super().from_config(cfg)
        keys, layers = cfg.CYBERCORE.MIXSTYLE, []
        if keys.ENABLED:
            layers = insert_mixstyle(arguments["backbone"], keys.AFTER, keys.ALPHA, keys.PROB, keys.PARTNER)
        return {**arguments, "mix_styles": layers}

    def forward(self, batched_inputs: dict[str, Any]) -> Any:
        """As ``VehicleBaseline``; MixStyle learns the domains of the batch's images, where it has them."""
        for layer in self._mix_styles:
            layer.domains = batched_inputs.get("domains") if self.training else None
        return super().forward(batched_inputs)

    def losses(self, outputs: dict[str, Tensor], gt_labels: Tensor) -> dict[str, Tensor]:
        losses = super().losses(outputs, gt_labels)
        if ID_LOSS in losses:
            losses[ID_LOSS] = self.id_weight * losses[ID_LOSS]
        of_id = [loss.detach() for name, loss in losses.items() if name == ID_LOSS]
        of_metric = [loss.detach() for name, loss in losses.items() if name != ID_LOSS]
        zero = gt_labels.new_zeros((), dtype=torch.float32)
        self.weighted_losses = torch.stack([sum(of_id, zero), sum(of_metric, zero)])
        return losses
