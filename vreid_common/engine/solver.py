"""Optimizer and learning-rate schedule from FastReID's SOLVER keys."""

import bisect
import logging
import math
from collections.abc import Callable
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.solver.build import get_default_optimizer_params
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from vreid_common.config import check_values, invalid, stated
from vreid_common.errors import InputError

__all__ = ["build_lr_scheduler", "build_optimizer", "check_solver", "clip_gradients"]


logger = logging.getLogger(__name__)


def check_solver(cfg: CfgNode) -> None:
    """Refuses an optimizer or a schedule that does not exist or cannot work in SOLVER.MAX_EPOCH epochs.

    Raises:
        InputError: a value that a key of SOLVER cannot have (FastReID's own Lamb and Ranger do not run on torch 2), or one that
            does not go with another.
    """
    check_values(cfg, "SOLVER")
    solver = cfg.SOLVER
    if solver.OPT == "SGD" and solver.NESTEROV and not solver.MOMENTUM:
        raise invalid(cfg, "SOLVER.NESTEROV", f"it needs a momentum, and there is {stated(cfg, 'SOLVER.MOMENTUM')}")
    if solver.DELAY_EPOCHS >= solver.MAX_EPOCH:
        raise invalid(cfg, "SOLVER.DELAY_EPOCHS", f"it leaves nothing of {stated(cfg, 'SOLVER.MAX_EPOCH')}")
    if solver.SCHED == "CosineAnnealingLR" and solver.ETA_MIN_LR > solver.BASE_LR:
        raise invalid(cfg, "SOLVER.ETA_MIN_LR", f"the rate falls to it from {stated(cfg, 'SOLVER.BASE_LR')}, so use less")


def build_optimizer(cfg: CfgNode, model: nn.Module) -> Optimizer:
    """An optimizer of torch.optim over the model's own parameters (B1), with FastReID's learning rates and decays for each.

    Parameters of equal settings share a group, so that an update is a few fused kernels and not one a parameter.

    Raises:
        InputError: nothing is trainable, or as ``check_solver`` says.
    """
    check_solver(cfg)
    groups: dict[tuple, dict[str, Any]] = {}
    for single in get_default_optimizer_params(
        model,
        base_lr=cfg.SOLVER.BASE_LR,
        weight_decay=cfg.SOLVER.WEIGHT_DECAY,
        weight_decay_norm=cfg.SOLVER.WEIGHT_DECAY_NORM,
        bias_lr_factor=cfg.SOLVER.BIAS_LR_FACTOR,
        heads_lr_factor=cfg.SOLVER.HEADS_LR_FACTOR,
        weight_decay_bias=cfg.SOLVER.WEIGHT_DECAY_BIAS,
    ):
        settings = {key: value for key, value in single.items() if key not in ("params", "freeze_status")}
        group = groups.setdefault(tuple(settings.items()), {**settings, "params": []})
        group["params"].extend(single["params"])
    if not groups:
        raise InputError(f"MODEL.META_ARCHITECTURE {cfg.MODEL.META_ARCHITECTURE} has no trainable parameter.")
    arguments: dict[str, Any] = {}
    if cfg.SOLVER.OPT == "SGD":
        arguments = {"momentum": cfg.SOLVER.MOMENTUM, "nesterov": cfg.SOLVER.NESTEROV}
    if cfg.SOLVER.OPT in ("SGD", "Adam", "AdamW"):
        arguments["fused"] = True
    return getattr(torch.optim, cfg.SOLVER.OPT)(list(groups.values()), **arguments)


def clip_gradients(cfg: CfgNode, optimizer: Optimizer) -> None:
    """Applies ``SOLVER.CLIP_GRADIENTS`` to every parameter by itself, as its comment in FastReID says (B18)."""
    clip = cfg.SOLVER.CLIP_GRADIENTS
    if not clip.ENABLED:
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if clip.CLIP_TYPE == "value":
        nn.utils.clip_grad_value_(parameters, clip.CLIP_VALUE)
    else:
        for parameter in parameters:
            nn.utils.clip_grad_norm_(parameter, clip.CLIP_VALUE, clip.NORM_TYPE)


def build_lr_scheduler(cfg: CfgNode, optimizer: Optimizer, iters_per_epoch: int) -> LambdaLR:
    """Warm-up over ``WARMUP_ITERS`` iterations times a schedule over epochs; stepped once an iteration.

    The schedule counts the run's own epochs, so STEPS [40, 90] drop after 40 and 90 epochs whatever the warm-up (B5).
    ``DELAY_EPOCHS`` holds the base rate for so long; cosine annealing and LinearLR then fall over the epochs that are left, the
    latter in equal steps that reach 0 at the end of the run.

    Raises:
        InputError: a warm-up as long as the run (A15), or as ``check_solver`` says.
    """
    check_solver(cfg)
    solver = cfg.SOLVER
    total = solver.MAX_EPOCH * iters_per_epoch
    if total <= solver.WARMUP_ITERS:
        raise invalid(
            cfg,
            "SOLVER.WARMUP_ITERS",
            f"the run has only {total} iterations: lower it or raise {stated(cfg, 'SOLVER.MAX_EPOCH')}",
        )
    if solver.SCHED == "MultiStepLR" and solver.STEPS and solver.STEPS[-1] >= solver.MAX_EPOCH:
        # Not refused: a quick try shortens MAX_EPOCH alone.
        logger.warning(
            "SOLVER.STEPS is %s: with SOLVER.MAX_EPOCH %d the run ends before the learning rate has dropped each time.",
            list(solver.STEPS), solver.MAX_EPOCH,
        )  # fmt: skip
    warm_up = _warm_up(cfg)

    def factor_of(base_lr: float) -> Callable[[int], float]:
        schedule = _schedule(cfg, base_lr)
        return lambda iteration: warm_up(iteration) * schedule(iteration // iters_per_epoch)

    return LambdaLR(optimizer, [factor_of(group["lr"]) for group in optimizer.param_groups])


def _warm_up(cfg: CfgNode) -> Callable[[int], float]:
    length, start = cfg.SOLVER.WARMUP_ITERS, cfg.SOLVER.WARMUP_FACTOR
    shapes: dict[str, Callable[[float], float]] = {
        "constant": lambda done: start,
        "linear": lambda done: start + (1 - start) * done,
        "exp": lambda done: start ** (1 - done),
    }
    shape = shapes[cfg.SOLVER.WARMUP_METHOD]
    return lambda iteration: 1.0 if iteration >= length else shape(iteration / length)


def _schedule(cfg: CfgNode, base_lr: float) -> Callable[[int], float]:
    solver = cfg.SOLVER
    if solver.SCHED == "MultiStepLR":
        return lambda epoch: solver.GAMMA ** bisect.bisect_right(solver.STEPS, epoch)
    if solver.SCHED == "CosineAnnealingLR":
        # A part whose rate is 0 (SOLVER.HEADS_LR_FACTOR 0) keeps it: the schedule is a factor.
        floor = solver.ETA_MIN_LR / base_lr if base_lr else 0.0
        length = solver.MAX_EPOCH - solver.DELAY_EPOCHS
        return lambda epoch: floor + (1 - floor) * (1 + math.cos(math.pi * max(epoch - solver.DELAY_EPOCHS, 0) / length)) / 2
    if solver.SCHED == "LinearLR":
        length = solver.MAX_EPOCH - solver.DELAY_EPOCHS
        return lambda epoch: min((solver.MAX_EPOCH - epoch) / length, 1.0)
    return lambda epoch: solver.GAMMA ** max(epoch - solver.DELAY_EPOCHS, 0)
