"""Several models by one command: orientation, camera and further vehicle models first, then the one that they help to rank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastreid.config import CfgNode

from vreid_common.config import check_values, merge_pairs
from vreid_common.errors import InputError
from vreid_common.registry import RERANK_REGISTRY

__all__ = ["features_folder", "split_into_stages"]


def features_folder(cfg: CfgNode, dataset_name: str) -> Path:
    """Where the features of a run's test images are saved."""
    return Path(cfg.OUTPUT_DIR) / "features" / dataset_name


def split_into_stages(cfg: CfgNode) -> list[CfgNode]:
    """A configuration for each of CYBERCORE.MEMBERS, in OUTPUT_DIR/<name>, and the vehicle model's own, in OUTPUT_DIR/vehicle.

    The members' features of the test images are the last one's ``RERANK.FURTHER``.

    Raises:
        InputError: a member is no name with KEY, VALUE pairs, or its name is not one that a step of re-ranking takes.
    """
    if not cfg.CYBERCORE.MEMBERS:
        return [cfg]
    if len(cfg.DATASETS.TESTS) != 1:
        raise InputError("CYBERCORE.MEMBERS serve to rank one test set: name one in DATASETS.TESTS.")
    last = _copy(cfg, "vehicle")
    last.CYBERCORE.SAVE_FEATURES = True  # for other re-rankings than the configured ones
    members = []
    for entry in cfg.CYBERCORE.MEMBERS:
        name, member = _member(cfg, entry)
        if name in [other for other, _ in last.RERANK.FURTHER]:
            raise InputError(f"CYBERCORE.MEMBERS has {name!r} twice, or RERANK.FURTHER has it too: leave one out.")
        members.append(member)
        features = features_folder(member, cfg.DATASETS.TESTS[0]) / "main"
        last.RERANK.FURTHER = [*last.RERANK.FURTHER, [name, str(features)]]
    return [*members, last]


def _member(cfg: CfgNode, entry: Any) -> tuple[str, CfgNode]:
    if isinstance(entry, str) or not entry or len(entry) % 2 == 0 or not isinstance(entry[0], str):
        raise InputError(
            f"CYBERCORE.MEMBERS has {entry!r}: write a name and KEY, VALUE pairs, e.g. [camera, CYBERCORE.LABEL, camera]."
        )
    name, *pairs = entry
    taken = sorted({further for step in RERANK_REGISTRY.names for further in RERANK_REGISTRY.get(step).further})
    if name not in taken:
        raise InputError(f"CYBERCORE.MEMBERS names {name!r}, which no step of re-ranking takes: use one of {', '.join(taken)}.")
    member = _copy(cfg, name)
    member.CYBERCORE.SAVE_FEATURES = True
    # It is ranked by its own features alone.
    member.RERANK.PIPELINE, member.RERANK.COMPARE, member.RERANK.FURTHER = [], [], []
    merge_pairs(member, pairs, f"CYBERCORE.MEMBERS, {name}")
    check_values(member)
    return name, member


def _copy(cfg: CfgNode, name: str) -> CfgNode:
    copy = cfg.clone()
    copy.defrost()
    copy.CYBERCORE.MEMBERS = []
    copy.OUTPUT_DIR = str(Path(cfg.OUTPUT_DIR) / name)
    return copy
