"""What each part of the network goes through: pooling, reduction, BNNeck, classifier (Fig. 2).

Shape shorthand: B images; C, H, W a feature map; D dimensions of a part's feature; P parts.
"""

from __future__ import annotations

from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.modeling.heads import REID_HEADS_REGISTRY, EmbeddingHead
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from dex.partition import part_edges, partition
from vreid_common.errors import InputError

__all__ = ["PartHead", "PartHeads", "branch_partitions"]


def branch_partitions(cfg: CfgNode) -> dict[str, tuple[int, ...]]:
    """Axis → partitions of its branch, from DEX.PARTS; an axis without any has no branch.

    Raises:
        InputError: a number of parts is below 1, or there is no branch.
    """
    partitions = {axis: tuple(cfg.DEX.PARTS[axis.upper()]) for axis in ("height", "width", "channel")}
    for axis, counts in partitions.items():
        if not all(isinstance(parts, int) and parts > 0 for parts in counts):
            raise InputError(f"DEX.PARTS.{axis.upper()} is {list(counts)}: list numbers of parts, from 1.")
    partitions = {axis: counts for axis, counts in partitions.items() if counts}
    if not partitions:
        raise InputError("DEX.PARTS lists no parts: give at least one of HEIGHT, WIDTH and CHANNEL some.")
    return partitions


class PartHead(EmbeddingHead):
    """FastReID's embedding head whose triplet feature is what the fully connected layer gives, as the paper's is.

    FastReID's own takes the pooled feature before that layer. Arguments are FastReID's, and ``test_feature``.

    Args:
        test_feature: what evaluation returns: the feature "after_bn" or "before_bn" of the BNNeck.
    """

    def __init__(self, *, test_feature: str, **head: Any) -> None:
        super().__init__(**head)
        self.test_feature = test_feature

    def forward(self, features: Tensor, targets: Tensor | None = None) -> Tensor | dict[str, Tensor]:
        """
        Args:
            features: (B, C, h, w) one part of a feature map.
            targets: (B,) int64 identities, in training.

        Returns:
            In evaluation (B, D); in training a dict of ``cls_outputs`` and ``pred_class_logits`` (B, classes) and
            ``features`` (B, D).
        """
        reduced = self.bottleneck[0](self.pool_layer(features))
        necked = self.bottleneck[1](reduced).flatten(1)
        reduced = reduced.flatten(1)
        if not self.training:
            return necked if self.test_feature == "after_bn" else reduced
        if type(self.cls_layer).__name__ == "Linear":
            logits = linear(necked, self.weight)
        else:
            logits = linear(normalize(necked), normalize(self.weight))
        return {
            "cls_outputs": self.cls_layer(logits.clone(), targets),  # FastReID's layers work in place
            "pred_class_logits": logits * self.cls_layer.s,
            "features": necked if self.neck_feat == "after" else reduced,
        }


@REID_HEADS_REGISTRY.register()
class PartHeads(nn.Module):
    """A ``PartHead`` for each part of each branch. Reads DEX, MODEL.HEADS and MODEL.BACKBONE.FEAT_DIM.

    Raises:
        InputError: DEX.PARTS, DEX.TEST_FEATURE or a key of MODEL.HEADS cannot be used, or there are more channel parts than
            channels.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.partitions = branch_partitions(cfg)
        _check(cfg)
        channels = cfg.MODEL.BACKBONE.FEAT_DIM
        arguments = EmbeddingHead.from_config(cfg) | {"test_feature": cfg.DEX.TEST_FEATURE}
        widths = [
            stop - start if axis == "channel" else channels
            for axis, counts in self.partitions.items()
            for parts in counts
            for start, stop in part_edges(channels, parts)
        ]
        self.parts = nn.ModuleList(PartHead(**arguments | {"feat_dim": width}) for width in widths)

    def forward(self, maps: list[Tensor], targets: Tensor | None = None) -> Tensor | list[dict[str, Tensor]]:
        """
        Args:
            maps: a (B, C, H, W) feature map for each branch, in the order of ``partitions``.
            targets: (B,) int64 identities, in training.

        Returns:
            In evaluation the parts' features side by side, (B, P·D); in training the output of each part.
        """
        cut = [
            part
            for features, (axis, counts) in zip(maps, self.partitions.items(), strict=True)
            for part in partition(features, axis, counts)
        ]
        outputs = [head(part, targets) for head, part in zip(self.parts, cut, strict=True)]
        return outputs if self.training else torch.cat(outputs, dim=1)


def _check(cfg: CfgNode) -> None:
    heads = cfg.MODEL.HEADS
    if heads.EMBEDDING_DIM < 1 or not heads.WITH_BNNECK:
        raise InputError("PartHeads reduce each part to MODEL.HEADS.EMBEDDING_DIM (above 0) dimensions and need WITH_BNNECK.")
    if heads.NECK_FEAT not in ("before", "after"):
        raise InputError(f"MODEL.HEADS.NECK_FEAT is {heads.NECK_FEAT!r}: use before or after.")
    if cfg.DEX.TEST_FEATURE not in ("after_bn", "before_bn"):
        raise InputError(f"DEX.TEST_FEATURE is {cfg.DEX.TEST_FEATURE!r}: use after_bn or before_bn.")
    if max(cfg.DEX.PARTS.CHANNEL, default=1) > cfg.MODEL.BACKBONE.FEAT_DIM:
        raise InputError(f"DEX.PARTS.CHANNEL is {list(cfg.DEX.PARTS.CHANNEL)} for {cfg.MODEL.BACKBONE.FEAT_DIM} channels.")
