"""Randomness as a function of the seed and the iteration, so that a resumed run draws what the unbroken run drew."""

import os
import random

import numpy as np
import torch
from fastreid.config import CfgNode
from fastreid.utils import comm

__all__ = ["seed_everything", "seed_of_run", "use_repeatable_kernels"]


def seed_of_run(cfg: CfgNode) -> int:
    """``cfg.SEED``, or, where that is -1, one drawn by the main process and shared by all."""
    if cfg.SEED >= 0:
        return cfg.SEED
    return comm.all_gather(int.from_bytes(os.urandom(4), "little"))[0]


def seed_everything(*entropy: int) -> None:
    """Seeds torch, NumPy and Python from a tuple such as (seed, iteration, rank)."""
    torch_seed, other_seed = np.random.SeedSequence(entropy).generate_state(2)
    torch.manual_seed(int(torch_seed))
    np.random.seed(int(other_seed))  # noqa: NPY002 - FastReID and its users draw from the global generator
    random.seed(int(other_seed))


def use_repeatable_kernels(cfg: CfgNode) -> None:
    """Applies ``cfg.DETERMINISTIC`` and ``cfg.CUDNN_BENCHMARK``; operations without a repeatable kernel warn and go on."""
    if cfg.DETERMINISTIC:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(cfg.DETERMINISTIC, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = cfg.DETERMINISTIC
    torch.backends.cudnn.benchmark = cfg.CUDNN_BENCHMARK and not cfg.DETERMINISTIC
