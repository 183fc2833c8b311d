"""Refusals of Cybercore's keys before anything is trained: with CYBERCORE.MEMBERS hours may lie between two stages."""

from __future__ import annotations

from fastreid.config import CfgNode

from vreid_common.config import invalid, stated

__all__ = ["check_cybercore"]


def check_cybercore(cfg: CfgNode, *, training: bool) -> None:
    """Looks at what CYBERCORE's keys need of others.

    Raises:
        InputError: naming the key.
    """
    keys = cfg.CYBERCORE
    for node in ("MIXSTYLE", "MALW"):
        if keys[node].ENABLED and cfg.MODEL.META_ARCHITECTURE != "Cybercore":
            needed = f"it needs MODEL.META_ARCHITECTURE Cybercore, and there is {stated(cfg, 'MODEL.META_ARCHITECTURE')}"
            raise invalid(cfg, f"CYBERCORE.{node}.ENABLED", needed)
    losses = cfg.MODEL.LOSSES.NAME
    if training and keys.MALW.ENABLED and ("CrossEntropyLoss" not in losses or len(losses) < 2):
        raise invalid(cfg, "MODEL.LOSSES.NAME", "CYBERCORE.MALW weighs CrossEntropyLoss against a metric loss: list both")
