"""Refusals of Cybercore's keys before anything is trained: with CYBERCORE.MEMBERS hours may lie between two stages."""

from __future__ import annotations

from fastreid.config import CfgNode

from cybercore.labels import LABELS
from cybercore.loss_weight import AdaptiveLossWeight
from vreid_common.engine.checks import check_model
from vreid_common.errors import InputError

__all__ = ["check_cybercore"]


def check_cybercore(cfg: CfgNode, *, training: bool) -> None:
    """Looks at CYBERCORE's keys, and builds the model once, which takes seconds, so that its parts refuse what they cannot use.

    Raises:
        InputError: naming the key.
    """
    keys = cfg.CYBERCORE
    for node in ("MIXSTYLE", "MALW"):
        if keys[node].ENABLED and cfg.MODEL.META_ARCHITECTURE != "Cybercore":
            raise InputError(
                f"CYBERCORE.{node}.ENABLED needs MODEL.META_ARCHITECTURE Cybercore, which is {cfg.MODEL.META_ARCHITECTURE}."
            )
    if training:
        _check_training(cfg)
    check_model(cfg)


def _check_training(cfg: CfgNode) -> None:
    keys, losses = cfg.CYBERCORE, cfg.MODEL.LOSSES.NAME
    if keys.LABEL not in LABELS:
        raise InputError(f"CYBERCORE.LABEL is {keys.LABEL!r}: use one of {', '.join(LABELS)}.")
    if keys.FREEZE_EPOCHS < 0:
        raise InputError(f"CYBERCORE.FREEZE_EPOCHS is {keys.FREEZE_EPOCHS}: use 0 or more.")
    if keys.MALW.ENABLED:
        AdaptiveLossWeight(keys.MALW.PERIOD, keys.MALW.MOMENTUM)
        if "CrossEntropyLoss" not in losses or len(losses) < 2:
            raise InputError(
                f"CYBERCORE.MALW weighs CrossEntropyLoss against a metric loss, but MODEL.LOSSES.NAME is {list(losses)}."
            )
