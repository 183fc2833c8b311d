"""Reading a run's configuration: defaults, a YAML file, KEY VALUE pairs; and saying in a sentence what is wrong with them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from fastreid.config import CfgNode, get_cfg

from vreid_common.config import add_vreid_config
from vreid_common.errors import InputError
from vreid_common.suggestions import did_you_mean

__all__ = ["AddConfig", "UnknownKeyError", "load_config", "written_config", "written_config_digest"]

AddConfig = Callable[[CfgNode], Any]

# What yacs says of a value that its key cannot hold: "... with values (DEFAULT vs. VALUE) ...".
_MISMATCH = re.compile(r"Type mismatch .* with values \(.* vs\. (?P<value>.*)\) for config key: (?P<key>\S+)", re.DOTALL)

_KINDS = {bool: "True or False", int: "a whole number", float: "a number with a point, e.g. 1.0", str: "a text"}


class UnknownKeyError(InputError):
    """The configuration has a ``key`` that neither vreid_common nor the project knows."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


def load_config(add_config: AddConfig | None, config_file: str, opts: Sequence[str] = ()) -> CfgNode:
    """FastReID's defaults, vreid_common's and the project's keys, then the file, then ``KEY VALUE`` pairs.

    Raises:
        UnknownKeyError: naming the nearest known key.
        InputError: a missing or malformed file, or a value of the wrong type.
    """
    cfg = add_vreid_config(get_cfg())
    if add_config is not None:
        add_config(cfg)
    if config_file:
        _merge_file(cfg, config_file)
    opts = list(opts)
    for flag in opts:
        if str(flag).startswith("--"):
            raise InputError(f"{flag} stands after a KEY VALUE pair: flags stand before the KEY VALUE pairs.")
    if len(opts) % 2:
        raise InputError(f"Options come as KEY VALUE pairs, but {opts[-1]!r} has no partner in: {' '.join(opts)}")
    try:
        cfg.merge_from_list(opts)
    except (KeyError, ValueError, AssertionError) as error:
        raise _explain(error, cfg, "Command line") from error
    return cfg


def written_config(config_file: str) -> dict[str, Any] | None:
    """What stands in a file, with what its ``_BASE_`` names; None where it cannot be read, and ``load_config`` says why."""
    try:
        written = CfgNode.load_yaml_with_base(config_file) if Path(config_file).is_file() else None
    except (OSError, ValueError, AssertionError, TypeError, AttributeError, RecursionError, yaml.YAMLError):
        return None
    return written if isinstance(written, dict) else None


def written_config_digest(config_file: str) -> str:
    """SHA-256 of what stands in a file, with what its ``_BASE_`` names; comments and the order of keys do not count."""
    text = json.dumps(written_config(config_file), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _merge_file(cfg: CfgNode, config_file: str) -> None:
    if not Path(config_file).is_file():
        raise InputError(f"--config-file {config_file} does not exist{' as a file' if Path(config_file).exists() else ''}.")
    try:
        cfg.merge_from_file(config_file)
    except FileNotFoundError as error:
        raise InputError(f"{config_file}: _BASE_ names {error.filename}, which does not exist.") from error
    except (TypeError, AttributeError) as error:  # what FastReID and yacs meet in YAML that is not a mapping
        raise InputError(f"{config_file}, or a file that its _BASE_ names, is empty or is not made of KEY: VALUE.") from error
    except (KeyError, ValueError, AssertionError, OSError, yaml.YAMLError) as error:
        raise _explain(error, cfg, config_file) from error


def _explain(error: Exception, cfg: CfgNode, source: str) -> InputError:
    # A KeyError's own str() is quoted, an OSError's first argument is a number.
    message = str(error.args[0] if isinstance(error, KeyError) else error).strip()
    mismatch = _MISMATCH.fullmatch(message)
    if mismatch:
        return InputError(f"{source}: {_say_mismatch(mismatch['key'], mismatch['value'], cfg)}")
    message = message.replace("\n", " ")
    if "Non-existent" not in message:
        return InputError(f"{source}: {message}")
    unknown = message.rsplit(" ", 1)[-1]
    hint = did_you_mean(unknown, _keys(cfg), count=1)
    return UnknownKeyError(f"{source}: unknown key {unknown}" + (f"; {hint}" if hint else "."), unknown)


def _say_mismatch(key: str, value: str, cfg: CfgNode) -> str:
    default: Any = cfg
    for name in key.split("."):
        default = default[name]
    if isinstance(default, CfgNode):
        return f"{key} is a group of keys and takes no value; got {value}. Its keys are {', '.join(_keys(default, f'{key}.'))}."
    if isinstance(default, (list, tuple)):
        example = [CfgNode._decode_cfg_value(value)]
        return f'{key} has to be a list, e.g. "{example}"; got {value}.'
    return f"{key} has to be {_KINDS.get(type(default), type(default).__name__)}; got {value}."


def _keys(cfg: CfgNode, prefix: str = "") -> list[str]:
    keys = []
    for name, value in cfg.items():
        keys += _keys(value, f"{prefix}{name}.") if isinstance(value, CfgNode) else [prefix + name]
    return keys
