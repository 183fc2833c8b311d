"""The BN-Dropout head of DSAM, with a plain or a combined-margin classifier.

Shape shorthand: B images; C classes; D feature dimensions; H, W a feature map.
"""

from __future__ import annotations

from typing import Any

from fastreid.config import CfgNode, configurable
from fastreid.modeling.heads import REID_HEADS_REGISTRY, EmbeddingHead
from torch import Tensor
from torch.nn import functional

from vreid_common.config import check_values
from vreid_common.errors import InputError
from vreid_common.modeling.heads.combined_margin import CombinedMargin

__all__ = ["BNDropoutHead"]

_CLASSIFIERS = ("Linear", "CombinedMargin")
_FEATURES = ("before", "after", "dropout")


@REID_HEADS_REGISTRY.register()
class BNDropoutHead(EmbeddingHead):
    """Pooling, the optional embedding layer, batch normalisation, dropout, classifier (Kong et al., AAAI 2021).

    FastReID's head with dropout before the classifier, and with ``CombinedMargin`` as MODEL.HEADS.CLS_LAYER. "Linear" is the
    plain softmax, without bias. MODEL.HEADS.NECK_FEAT says which feature the other losses get: the pooled one, "before" the
    embedding layer and batch normalisation, the one "after" them, or what the classifier gets, after "dropout". Evaluation
    gives the feature after batch normalisation.
    """

    @configurable
    def __init__(self, *, dropout: float, combined_margin: CombinedMargin | None, **embedding_head: Any) -> None:
        """
        Args:
            dropout: probability with which an entry is set to 0.
            combined_margin: None is the plain softmax.
            embedding_head: FastReID's own arguments.
        """
        super().__init__(**embedding_head)
        self.dropout = dropout
        self.combined_margin = combined_margin

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        heads = cfg.MODEL.HEADS
        for key, known in (("CLS_LAYER", _CLASSIFIERS), ("NECK_FEAT", _FEATURES)):
            if heads[key] not in known:
                raise InputError(f"MODEL.HEADS.{key} is {heads[key]!r}: BNDropoutHead takes one of {', '.join(known)}.")
        check_values(cfg, "MODEL.HEADS.DROPOUT")
        margin = heads.COMBINED_MARGIN
        combined = heads.CLS_LAYER == "CombinedMargin"
        return {
            **super().from_config(cfg),
            "cls_type": "Linear",
            "dropout": heads.DROPOUT,
            "combined_margin": CombinedMargin(heads.SCALE, margin.M1, margin.M2, margin.M3) if combined else None,
        }

    def forward(self, features: Tensor, targets: Tensor | None = None) -> Tensor | dict[str, Tensor]:
        """
        Args:
            features: (B, D, H, W) of the backbone.
            targets: (B,) int64 classes, in training.

        Returns:
            In evaluation (B, D) features. In training ``cls_outputs``, the logits that are learnt, ``pred_class_logits``, those
            without a margin, both (B, C), and ``features`` (B, D).
        """
        pooled = self.pool_layer(features)
        after = self.bottleneck(pooled)[..., 0, 0]
        if not self.training:
            return after
        dropped = functional.dropout(after, self.dropout)
        if self.combined_margin is None:
            learnt = plain = self.cls_layer.s * functional.linear(dropped, self.weight)
        else:
            learnt, plain = self.combined_margin(dropped, self.weight, targets)
        chosen = {"before": pooled[..., 0, 0], "after": after, "dropout": dropped}[self.neck_feat]
        return {"cls_outputs": learnt, "pred_class_logits": plain, "features": chosen}
