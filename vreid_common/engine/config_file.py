"""Reading a run's configuration: defaults, a YAML file, KEY VALUE pairs; each value tested against what its key may hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from fastreid.config import CfgNode, get_cfg

from vreid_common.config import (
    UnknownKeyError,
    add_vreid_config,
    check_values,
    merge_file,
    merge_pairs,
    written_values,
)
from vreid_common.errors import InputError

__all__ = ["AddConfig", "UnknownKeyError", "load_config", "written_config", "written_config_digest"]

AddConfig = Callable[[CfgNode], Any]


def load_config(add_config: AddConfig | None, config_file: str, opts: Sequence[str] = ()) -> CfgNode:
    """FastReID's defaults, vreid_common's and the project's keys, then the file, then ``KEY VALUE`` pairs.

    Raises:
        UnknownKeyError: naming the nearest known key.
        InputError: a missing or malformed file, or a value that its key cannot have, with the file and line of it.
    """
    cfg = add_vreid_config(get_cfg())
    if add_config is not None:
        add_config(cfg)
    if config_file:
        merge_file(cfg, config_file)
    for flag in opts:
        if str(flag).startswith("--"):
            raise InputError(f"{flag} stands after a KEY VALUE pair: flags stand before the KEY VALUE pairs.")
    merge_pairs(cfg, opts)
    check_values(cfg)
    return cfg


def written_config(config_file: str) -> dict[str, Any] | None:
    """Dotted keys and values that stand in a file, with what its ``_BASE_`` names; None where ``load_config`` refuses it."""
    try:
        return written_values(config_file)
    except InputError:
        return None


def written_config_digest(config_file: str) -> str:
    """SHA-256 of what stands in a file, with what its ``_BASE_`` names; comments and the order of keys do not count."""
    text = json.dumps(written_config(config_file), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
