"""Refusals of WCVL's own keys before anything is trained: the main module would be trained first, for nothing."""

from __future__ import annotations

import re

import torch
from fastreid.config import CfgNode

from vreid_common.errors import InputError
from wcvl.meta_arch import WCVL

__all__ = ["check_wcvl", "name_own_keys"]


def check_wcvl(cfg: CfgNode) -> None:
    """Builds the model once, which takes a second, so that its parts refuse what they cannot work with.

    Args:
        cfg: of the run in which WCVL is trained or evaluated; the main module's checkpoint need not be there yet.

    Raises:
        InputError: naming the key.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.NUM_CLASSES = 1  # known only once the data set is read
    cfg.MODEL.WEIGHTS = "none"  # of both modules, so that building loads none; nothing here does
    with torch.random.fork_rng(devices=[]):
        WCVL(cfg)


def name_own_keys(error: InputError, cfg: CfgNode) -> InputError:
    """``error`` with WCVL.SOLVER's keys under the name by which they are set; the run has them in SOLVER."""
    keys = "|".join(cfg.WCVL.SOLVER)
    return InputError(re.sub(rf"(?<!\.)\bSOLVER\.({keys})\b", r"WCVL.SOLVER.\1", str(error)))
