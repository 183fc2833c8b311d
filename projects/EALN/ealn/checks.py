"""Refusals of EALN's keys before anything is read."""

from __future__ import annotations

import math

from fastreid.config import CfgNode

from vreid_common.engine.checks import check_model
from vreid_common.errors import InputError
from vreid_common.modeling.generative import GAN_LOSSES

__all__ = ["check_ealn"]


def check_ealn(cfg: CfgNode, *, training: bool) -> None:
    """Looks at EALN's keys, and builds the model once, so that its parts refuse what they cannot use.

    Raises:
        InputError: naming the key.
    """
    keys = cfg.EALN
    if cfg.MODEL.META_ARCHITECTURE != "EALN":
        raise InputError(f"MODEL.META_ARCHITECTURE is {cfg.MODEL.META_ARCHITECTURE}: EALN's training needs EALN.")
    if "TripletLoss" in cfg.MODEL.LOSSES.NAME:
        raise InputError("MODEL.LOSSES.NAME lists TripletLoss, but EALN has a triplet loss of its own: leave it out.")
    if keys.GAN_LOSS not in GAN_LOSSES:
        raise InputError(f"EALN.GAN_LOSS is {keys.GAN_LOSS!r}: use one of {', '.join(GAN_LOSSES)}.")
    numbers = {
        "ALPHA": keys.ALPHA,
        "LAMBDA_ED": keys.LAMBDA_ED,
        "HARD.BETA1": keys.HARD.BETA1,
        "HARD.BETA2": keys.HARD.BETA2,
        "VIEW.LAMBDA_CYC": keys.VIEW.LAMBDA_CYC,
        "VIEW.RELEASE_EPOCHS": keys.VIEW.RELEASE_EPOCHS,
        "BUFFER_SIZE": keys.BUFFER_SIZE,
        "SHEET_PERIOD": keys.SHEET_PERIOD,
        "SOLVER.BASE_LR": keys.SOLVER.BASE_LR,
    }
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"EALN.{name} is {value}: use 0 or more.")
    if not 0 <= keys.SOLVER.BETA1 < 1:
        raise InputError(f"EALN.SOLVER.BETA1 is {keys.SOLVER.BETA1}: use 0 or more, below 1.")
    if training and keys.VIEW.ENABLED and keys.LAMBDA_ED and keys.VIEW.RELEASE_EPOCHS >= cfg.SOLVER.MAX_EPOCH:
        raise InputError(
            f"EALN.VIEW.RELEASE_EPOCHS {keys.VIEW.RELEASE_EPOCHS} leaves none of SOLVER.MAX_EPOCH {cfg.SOLVER.MAX_EPOCH} "
            "epochs with Eq. 10: lower it or train longer."
        )
    check_model(cfg)
