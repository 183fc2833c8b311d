"""The momentum adaptive loss weight, MALW (Sec. 3.3.2, Alg. 1, Fig. 4).

Shape shorthand: K iterations between two updates.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from fastreid.engine.train_loop import HookBase
from fastreid.utils import comm
from torch import Tensor

from cybercore.meta_arch import Cybercore
from vreid_common.errors import InputError

__all__ = ["AdaptiveLossWeight", "AdaptiveLossWeightHook"]


class AdaptiveLossWeight:
    """The weight λ of the ID loss; that of the metric loss stays 1.

    After each K iterations the standard deviations of the weighted losses in them are compared. If that of the ID loss is the
    greater one, λ ← α·λ + (1 - α)·(1 - (std_ID - std_metric) / std_ID). Alg. 1 prints α·λ + the new weight, which grows towards
    1 / (1 - α) times as much; a momentum has weights that sum to 1, and the authors' code has them.

    Args:
        period: K.
        momentum: α.

    Attributes:
        value: λ, at first 1.

    Raises:
        InputError: K is below 1, or α not in [0, 1).
    """

    def __init__(self, period: int = 500, momentum: float = 0.9) -> None:
        if period < 1:
            raise InputError(f"CYBERCORE.MALW.PERIOD is {period}: use 1 or more.")
        if not 0 <= momentum < 1:
            raise InputError(f"CYBERCORE.MALW.MOMENTUM is {momentum}: use 0 or more, below 1.")
        self.period = period
        self.momentum = momentum
        self.value = 1.0
        self._losses: list[Tensor] = []

    def record(self, losses: Tensor) -> None:
        """Takes the losses of one iteration; they are looked at once in K iterations, so that no device is waited for.

        Args:
            losses: (2,) weighted ID loss and metric loss.
        """
        self._losses.append(losses)
        if len(self._losses) < self.period:
            return
        of_id, of_metric = self._stacked().double().std(dim=0, correction=0).tolist()
        self._losses = []
        if of_id > of_metric:
            self.value = self.momentum * self.value + (1 - self.momentum) * (1 - (of_id - of_metric) / of_id)

    def state_dict(self) -> dict[str, Any]:
        """λ and the losses since its last update."""
        return {"value": self.value, "losses": self._stacked().cpu() if self._losses else torch.empty(0, 2)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = float(state["value"])
        self._losses = list(state["losses"])

    def _stacked(self) -> Tensor:
        device = self._losses[-1].device  # those from a checkpoint are on the CPU
        return torch.stack([losses.to(device) for losses in self._losses])


class AdaptiveLossWeightHook(HookBase):
    """Feeds an ``AdaptiveLossWeight`` with the mean losses of all processes, which so have one λ, and gives it to the model.

    λ is written to TensorBoard and metrics.json as ``loss_weight_id``.
    """

    def __init__(self, weight: AdaptiveLossWeight, model: Cybercore) -> None:
        self._weight = weight
        self._model = model

    def before_train(self) -> None:
        self._model.id_weight = self._weight.value  # of a resumed run

    def after_step(self) -> None:
        losses = self._model.weighted_losses
        if comm.get_world_size() > 1:
            dist.all_reduce(losses)
            losses /= comm.get_world_size()
        self._weight.record(losses)
        self._model.id_weight = self._weight.value
        self.trainer.storage.put_scalar("loss_weight_id", self._weight.value, smoothing_hint=False)
