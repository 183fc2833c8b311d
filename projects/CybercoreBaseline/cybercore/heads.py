"""The multi-head attention head (Sec. 3.2, Fig. 3), in the shape of GroupFace.

Source: Kim et al., "GroupFace: Learning Latent Groups and Constructing Group-based Representations for Face Recognition",
CVPR 2020, which the paper adopts.

Shape shorthand: B images; C channels of the backbone; D dimensions of a head; K heads.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from fastreid.config import CfgNode, configurable
from fastreid.modeling.heads import REID_HEADS_REGISTRY, EmbeddingHead
from torch import Tensor, nn
from torch.nn.functional import linear

from vreid_common.errors import InputError

__all__ = ["MultiHeadAttention", "MultiHeadAttentionHead"]


class MultiHeadAttention(nn.Module):
    """K heads, each a fully connected layer with PReLU, weighted by a gate and added to an instance branch of the same kind.

    The K heads are one (K·D, C) matrix, so that a batch takes one product whatever K is.

    Args:
        in_dim: C.
        dim: D.
        num_heads: K.
        gate_dim: width between the gate's two layers.

    Raises:
        InputError: a number is below 1.
    """

    def __init__(self, in_dim: int, dim: int, num_heads: int = 32, gate_dim: int = 256) -> None:
        super().__init__()
        for key, value in (("NUM", num_heads), ("DIM", dim), ("GATE_DIM", gate_dim)):
            if value < 1:
                raise InputError(f"CYBERCORE.HEADS.{key} is {value}: use 1 or more.")
        self.instance = nn.Sequential(nn.Linear(in_dim, dim), nn.PReLU())
        self.gate = nn.Sequential(nn.Linear(in_dim, gate_dim), nn.PReLU(), nn.Linear(gate_dim, num_heads))
        self.weight = nn.Parameter(torch.empty(num_heads, dim, in_dim))
        self.bias = nn.Parameter(torch.zeros(num_heads, dim))
        self.slope = nn.Parameter(torch.full((num_heads, 1), 0.25))  # of each head's PReLU
        for layer in (self.instance[0], self.gate[0], self.gate[2]):
            _init(layer.weight)
            nn.init.zeros_(layer.bias)
        for head in self.weight:
            _init(head)

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: (B, C), or (B, C, 1, 1) as FastReID's pooling layers give it.

        Returns:
            (B, D), or (B, D, 1, 1).
        """
        flat = x.flatten(1)
        heads = linear(flat, self.weight.flatten(0, 1), self.bias.flatten()).view(-1, *self.bias.shape)
        heads = torch.where(heads >= 0, heads, self.slope * heads)
        shares = self.gate(flat).softmax(dim=1)
        features = self.instance(flat) + torch.einsum("bk,bkd->bd", shares.to(heads.dtype), heads)
        return features.view(*features.shape, *x.shape[2:])


def _init(weight: Tensor) -> None:
    nn.init.kaiming_normal_(weight, a=0.25, nonlinearity="leaky_relu")


@REID_HEADS_REGISTRY.register()
class MultiHeadAttentionHead(EmbeddingHead):
    """FastReID's ``EmbeddingHead`` with ``MultiHeadAttention`` between its pooling and its BNNeck.

    Reads CYBERCORE.HEADS beside MODEL.HEADS.
    """

    @configurable
    def __init__(self, *, attention: MultiHeadAttention, **embedding: Any) -> None:
        """
        Args:
            attention: what the pooled feature goes through.
            embedding: FastReID's own arguments.
        """
        super().__init__(**embedding)
        self.pool_layer = nn.Sequential(OrderedDict(pool=self.pool_layer, attention=attention))

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        embedding = super().from_config(cfg)
        keys, in_dim = cfg.CYBERCORE.HEADS, embedding["feat_dim"]
        if keys.DIM < 0:
            raise InputError(f"CYBERCORE.HEADS.DIM is {keys.DIM}: use 1 or more, or 0 for MODEL.BACKBONE.FEAT_DIM.")
        dim = keys.DIM or in_dim
        return {**embedding, "feat_dim": dim, "attention": MultiHeadAttention(in_dim, dim, keys.NUM, keys.GATE_DIM)}
