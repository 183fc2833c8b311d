"""One training step: forward, backward, update; losses stay on the device until they are to be shown."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.distributed as dist
from fastreid.config import CfgNode
from fastreid.utils import comm
from fastreid.utils.events import get_event_storage
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from vreid_common.engine.placement import average_gradients
from vreid_common.engine.solver import clip_gradients

__all__ = ["TrainStep", "autocast_dtype"]

REPORT_PERIOD = 20
"""Iterations between two readings of the losses: each reading waits for the GPU, and for the other processes."""


def autocast_dtype(cfg: CfgNode) -> torch.dtype | None:
    """The type of mixed precision in training, or None where ``SOLVER.AMP`` is off."""
    return getattr(torch, cfg.SOLVER.AMP.DTYPE) if cfg.SOLVER.AMP.ENABLED else None


class TrainStep:
    """FastReID's ``SimpleTrainer.run_step`` and ``AMPTrainer.run_step``, for CPU and CUDA, bfloat16 and float16 (A10, B19).

    Args:
        model: called with a batch; returns its losses by name. One that is not a DistributedDataParallel has its gradients
            averaged over the processes here.
        optimizer: over the model's own parameters.
        cfg: SOLVER.AMP and SOLVER.CLIP_GRADIENTS are read.
        device: where the model is.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, cfg: CfgNode, device: torch.device) -> None:
        self.model = model
        self.optimizer = optimizer
        self.cfg = cfg
        self.device = device
        self.dtype = autocast_dtype(cfg)
        # bfloat16 has float32's range and needs no scaling of the loss.
        self.grad_scaler = torch.amp.GradScaler(device.type) if self.dtype is torch.float16 else None
        self.after_backward: list[Callable[[], None]] = []
        self._names: list[str] = []
        self._losses: list[Tensor] = []
        self._data_seconds = 0.0
        self._reported_at = time.perf_counter()
        self._images = 0

    def run(self, batch: dict, data_seconds: float) -> None:
        """Updates the model from one batch; override it to update in another way, from the three methods that follow.

        Raises:
            FloatingPointError: a loss has become infinite or NaN (noticed within ``REPORT_PERIOD`` iterations).
        """
        with self.autocast():
            losses = self.model(batch)
        self.update(losses, [self.optimizer])
        self.finish(losses, len(batch["images"]), data_seconds)

    def autocast(self) -> torch.autocast:
        """Mixed precision, where ``SOLVER.AMP`` asks for it."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def update(self, losses: Mapping[str, Tensor], optimizers: Sequence[Optimizer]) -> None:
        """Steps ``optimizers`` along the gradient of the sum of ``losses``, which has to reach parameters of each of them."""
        total = sum(losses.values())
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        if self.grad_scaler is None:
            total.backward()
        else:
            self.grad_scaler.scale(total).backward()
        if not isinstance(self.model, DistributedDataParallel):  # which averages them by itself
            average_gradients(p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"])
        if self.grad_scaler is not None:
            for optimizer in optimizers:
                self.grad_scaler.unscale_(optimizer)
        for callback in self.after_backward:
            callback()
        for optimizer in optimizers:
            clip_gradients(self.cfg, optimizer)
            if self.grad_scaler is None:
                optimizer.step()
            else:
                self.grad_scaler.step(optimizer)

    def finish(self, losses: Mapping[str, Tensor], images: int, data_seconds: float) -> None:
        """Ends an iteration: keeps its losses, of the same names until the next report, which every epoch ends with."""
        if self.grad_scaler is not None:
            self.grad_scaler.update()
        self._names = list(losses)
        self._losses.append(torch.stack([value.detach().float() for value in losses.values()]))
        self._data_seconds += data_seconds
        self._images += images
        if len(self._losses) >= REPORT_PERIOD:
            self.report()

    def start_clock(self) -> None:
        """Leaves the time since the last report, spent on evaluation and checkpoints, out of the next one's rate."""
        self._reported_at = time.perf_counter()

    def report(self) -> None:
        """Writes the mean losses since the last report to FastReID's event storage; every process has to call it."""
        if not self._losses:
            return
        steps = len(self._losses)
        means = torch.stack(self._losses).mean(0)
        if comm.get_world_size() > 1:
            dist.all_reduce(means)
            means /= comm.get_world_size()
        values = dict(zip(self._names, means.tolist(), strict=True))
        now = time.perf_counter()
        seconds, images = now - self._reported_at, self._images * comm.get_world_size()
        self._losses, self._images, self._reported_at = [], 0, now
        storage = get_event_storage()
        for name, value in values.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} became {value} between iterations {storage.iter - steps + 1} and {storage.iter}: "
                    "lower SOLVER.BASE_LR, warm up longer, or turn SOLVER.AMP off."
                )
        storage.put_scalar("total_loss", sum(values.values()), smoothing_hint=False)
        if len(values) > 1:
            storage.put_scalars(smoothing_hint=False, **values)
        storage.put_scalar("data_time", self._data_seconds / steps, smoothing_hint=False)
        storage.put_scalar("time", seconds / steps, smoothing_hint=False)
        storage.put_scalar("images_per_second", images / seconds, smoothing_hint=False)
        self._data_seconds = 0.0
