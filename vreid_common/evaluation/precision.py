"""The type that an evaluation computes in."""

from __future__ import annotations

import torch
from fastreid.config import CfgNode

__all__ = ["evaluation_dtype", "evaluation_precision"]


def evaluation_dtype(cfg: CfgNode) -> torch.dtype | None:
    """The type that evaluations compute in under autocast; None, the model's own, where TEST.AMP is off."""
    return getattr(torch, cfg.SOLVER.AMP.DTYPE) if cfg.TEST.get("AMP", False) else None


def evaluation_precision(cfg: CfgNode) -> str:
    """Its name, for records and logs."""
    return str(evaluation_dtype(cfg) or torch.float32).removeprefix("torch.")
