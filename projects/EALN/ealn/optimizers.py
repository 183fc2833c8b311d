"""An optimizer and a schedule for every part, which the training loop holds, saves and resumes as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from fastreid.config import CfgNode
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ealn.meta_arch import EALN
from vreid_common.engine.solver import build_optimizer

__all__ = ["PartOptimizers", "PartSchedules", "build_part_optimizers"]


class PartOptimizers:
    """Optimizers by part; each is stepped in the phase of its part.

    Attributes:
        by_part: name of ``EALN.parts`` → optimizer.
        param_groups: those of all of them, D_emb's first.
    """

    def __init__(self, by_part: Mapping[str, Optimizer]) -> None:
        self.by_part = dict(by_part)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.by_part.values() for group in optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {name: optimizer.state_dict() for name, optimizer in self.by_part.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, optimizer in self.by_part.items():
            optimizer.load_state_dict(state[name])


class PartSchedules:
    """Schedules by part, stepped together once an iteration."""

    def __init__(self, by_part: Mapping[str, LRScheduler]) -> None:
        self.by_part = dict(by_part)

    def step(self) -> None:
        for schedule in self.by_part.values():
            schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: schedule.state_dict() for name, schedule in self.by_part.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, schedule in self.by_part.items():
            schedule.load_state_dict(state[name])


def build_part_optimizers(cfg: CfgNode, model: EALN) -> PartOptimizers:
    """SOLVER's optimizer for D_emb and Adam with EALN.SOLVER's settings for every other part.

    Raises:
        InputError: as ``vreid_common.engine.solver.build_optimizer`` says.
    """
    keys = cfg.EALN.SOLVER
    adam = {"lr": keys.BASE_LR, "betas": (keys.BETA1, 0.999), "fused": True}
    return PartOptimizers(
        {
            name: build_optimizer(cfg, part) if name == "embedding" else torch.optim.Adam(part.parameters(), **adam)
            for name, part in model.parts.items()
        }
    )
