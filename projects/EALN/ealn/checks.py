"""Refusals of EALN's keys before anything is read."""

from __future__ import annotations

from fastreid.config import CfgNode

from vreid_common.config import invalid, stated

__all__ = ["check_ealn"]


def check_ealn(cfg: CfgNode, *, training: bool) -> None:
    """Looks at what EALN's keys need of others.

    Raises:
        InputError: naming the key.
    """
    keys = cfg.EALN
    if cfg.MODEL.META_ARCHITECTURE != "EALN":
        raise invalid(cfg, "MODEL.META_ARCHITECTURE", "EALN's training needs EALN")
    if "TripletLoss" in cfg.MODEL.LOSSES.NAME:
        raise invalid(cfg, "MODEL.LOSSES.NAME", "EALN has a triplet loss of its own: leave TripletLoss out")
    if training and keys.VIEW.ENABLED and keys.LAMBDA_ED and keys.VIEW.RELEASE_EPOCHS >= cfg.SOLVER.MAX_EPOCH:
        raise invalid(
            cfg,
            "EALN.VIEW.RELEASE_EPOCHS",
            f"it leaves none of {stated(cfg, 'SOLVER.MAX_EPOCH')} epochs with Eq. 10: lower it or train longer",
        )
