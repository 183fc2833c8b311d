"""Parameters and multiply-adds of the main module and of what WCVL adds to it (Table VI).

In the paper's units, which ``describe`` prints, M is 1024², G is 1024³, and a FLOP is one multiply-add; the classifier counts
among the main module's parameters but is not run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tabulate import tabulate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from wcvl.meta_arch import WCVL

__all__ = ["GIGA", "MEGA", "Cost", "describe", "measure"]

MEGA = 1024**2
GIGA = 1024**3


@dataclass(frozen=True)
class Cost:
    """Numbers of parameters, and of multiply-adds to embed one image."""

    main_parameters: int
    module_parameters: int
    main_multiply_adds: int
    module_multiply_adds: int


@torch.no_grad()
def measure(model: WCVL, size: tuple[int, int]) -> Cost:
    """Counts parameters, and multiply-adds of convolutions and matrix products as torch's flop counter sees them run.

    Args:
        model: left in the mode (train or eval) in which it came.
        size: height and width of the image in pixels.
    """
    training = model.training
    model.eval()
    batch = {"images": torch.zeros(1, 3, *size, device=model.device)}
    main, both = _multiply_adds(model.main, batch), _multiply_adds(model, batch)
    model.train(training)
    return Cost(
        main_parameters=sum(p.numel() for p in model.main.parameters()),
        module_parameters=sum(p.numel() for p in model.cross_view.parameters()),
        main_multiply_adds=main,
        module_multiply_adds=both - main,
    )


def _multiply_adds(model: nn.Module, batch: dict[str, torch.Tensor]) -> int:
    with FlopCounterMode(display=False) as counter:
        model(batch)
    return counter.get_total_flops() // 2  # the counter counts the multiplication and the addition


def describe(cost: Cost) -> str:
    """``cost`` as a table."""
    added_parameters = 100 * cost.module_parameters / cost.main_parameters
    added_multiply_adds = 100 * cost.module_multiply_adds / cost.main_multiply_adds
    rows = [
        ["main module", cost.main_parameters / MEGA, cost.main_multiply_adds / GIGA],
        ["cross-view module", cost.module_parameters / MEGA, cost.module_multiply_adds / GIGA],
        ["added, %", added_parameters, added_multiply_adds],
    ]
    return tabulate(rows, headers=["", "parameters, M", "multiply-adds, G"], tablefmt="pipe", floatfmt=".3f")
