"""The configuration: FastReID's keys and vreid_common's, declared with what they mean and hold, and how files set them."""

from fastreid.config import CfgNode as CfgNode
from fastreid.config import get_cfg

from vreid_common.config.constraints import (
    Anything,
    Constraint,
    Each,
    Either,
    Named,
    OneOf,
    Pattern,
    Range,
    Text,
    above,
    at_least,
    between,
    count,
    probability,
)
from vreid_common.config.fastreid_keys import BASELINE_LOSSES, FASTREID_KEYS
from vreid_common.config.keys import MIXES, VREID_KEYS
from vreid_common.config.merge import UnknownKeyError, merge_file, merge_pairs
from vreid_common.config.schema import Group, Key, add_keys, check_values, declare, key_of, leaves, like, meaning_of
from vreid_common.config.written import invalid, stated, take_group
from vreid_common.config.yaml_file import written_values

__all__ = [
    "BASELINE_LOSSES",
    "MIXES",
    "Anything",
    "Constraint",
    "Each",
    "Either",
    "Group",
    "Key",
    "Named",
    "OneOf",
    "Pattern",
    "Range",
    "Text",
    "UnknownKeyError",
    "above",
    "add_keys",
    "add_vreid_config",
    "at_least",
    "between",
    "check_values",
    "count",
    "get_vreid_cfg",
    "invalid",
    "key_of",
    "leaves",
    "like",
    "meaning_of",
    "merge_file",
    "merge_pairs",
    "probability",
    "stated",
    "take_group",
    "written_values",
]


declare(*FASTREID_KEYS, *VREID_KEYS)


def add_vreid_config(cfg: CfgNode) -> CfgNode:
    """Adds the keys that vreid_common reads to FastReID's ``cfg``, in place, and returns it."""
    return add_keys(cfg, *VREID_KEYS)


def get_vreid_cfg() -> CfgNode:
    """FastReID's default configuration with vreid_common's keys added."""
    return add_vreid_config(get_cfg())
