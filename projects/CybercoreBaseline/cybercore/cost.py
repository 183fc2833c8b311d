"""Parameters of a model's parts and multiply-adds of embedding one image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from fastreid.modeling.meta_arch import Baseline
from tabulate import tabulate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cybercore.heads import MultiHeadAttentionHead

__all__ = ["Cost", "describe", "measure"]


@dataclass(frozen=True)
class Cost:
    """Of one part: number of parameters, and multiply-adds for one image."""

    parameters: int
    multiply_adds: int


@torch.no_grad()
def measure(model: Baseline, size: tuple[int, int]) -> dict[str, Cost]:
    """Part → cost. Convolutions and matrix products count; the classifier is in no row, as it embeds nothing.

    Args:
        model: left in the mode (train or eval) in which it came.
        size: height and width of the image in pixels.
    """
    training = model.training
    model.eval()
    images = torch.zeros(1, 3, *size, device=model.device)
    with FlopCounterMode(display=False) as counter:
        features = model.backbone(images)
    parts = {"backbone": Cost(_parameters(model.backbone), _multiply_adds(counter))}
    if isinstance(model.heads, MultiHeadAttentionHead):
        pooled = model.heads.pool_layer.pool(features)
        with FlopCounterMode(display=False) as counter:
            model.heads.pool_layer.attention(pooled)
        parts["multi-head attention"] = Cost(_parameters(model.heads.pool_layer.attention), _multiply_adds(counter))
    model.train(training)
    return parts


def describe(parts: dict[str, Cost]) -> str:
    """A table in millions of parameters and 10⁹ multiply-adds."""
    rows = [[name, cost.parameters / 1e6, cost.multiply_adds / 1e9] for name, cost in parts.items()]
    return tabulate(rows, headers=["", "parameters, M", "multiply-adds, G"], tablefmt="pipe", floatfmt=".3f")


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _multiply_adds(counter: FlopCounterMode) -> int:
    return counter.get_total_flops() // 2  # the counter counts the multiplication and the addition
