"""The model of a gallery: kept with it, so that images that are added or searched for need not name it again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vreid_common.engine.extraction import Extraction, read_extraction
from vreid_common.errors import InputError

__all__ = ["model_record", "names_a_model", "read_gallery_extraction"]

_FILES = ("config_file", "weights", "onnx")
_SETTINGS = {"scales": (1.0,), "flip": False, "combine": "sum", "amp": None}
"""Arguments that say how features are combined, and their defaults."""


def model_record(args: argparse.Namespace, extraction: Extraction) -> dict[str, Any]:
    """What ``read_gallery_extraction`` reads: the arguments that named the model, and what tells it from another one."""
    arguments: dict[str, Any] = {name: [str(Path(file).resolve()) for file in getattr(args, name)] for name in _FILES}
    arguments |= {name: getattr(args, name) for name in _SETTINGS}
    project = str(Path(args.project).resolve()) if args.project else ""
    return {
        "arguments": {**arguments, "project": project, "opts": list(args.opts)},
        "origins": [model.origin() for model in extraction.models],
        "transform": extraction.settings()["transform"],
    }


def names_a_model(args: argparse.Namespace) -> bool:
    """Whether the arguments name a model at all."""
    return any(getattr(args, name) for name in _FILES)


def read_gallery_extraction(args: argparse.Namespace, record: dict[str, Any] | None) -> Extraction:
    """How features are made that can be compared with a gallery's.

    Args:
        args: of ``add_extraction_arguments``. They may name the model, where its files have moved or it is exported; else it is
            the gallery's own. How features are combined need not be said either.
        record: of ``model_record``; None where the gallery was built from features of unknown origin.

    Raises:
        InputError: no model is known, or the features would be others than the gallery's.
    """
    named = names_a_model(args)
    if record is None:
        if not named:
            raise InputError("The gallery was built from features: name their model by --config-file and --weights, or --onnx.")
        return read_extraction(args)
    kept = record["arguments"] | {"scales": tuple(record["arguments"]["scales"])}
    for name, default in _SETTINGS.items():
        if getattr(args, name) not in (default, kept[name]):
            raise InputError(f"--{name} is {getattr(args, name)}, but the gallery's features were made with {kept[name]}.")
    taken = {name: kept[name] for name in _SETTINGS}
    if not named:
        taken |= {name: kept[name] for name in (*_FILES, "project", "opts")}
    extraction = read_extraction(argparse.Namespace(**{**vars(args), **taken}))
    same_models = [model.origin() for model in extraction.models] == record["origins"]
    if not same_models or extraction.settings()["transform"] != record["transform"]:
        raise InputError(
            "The gallery's features come from another model than "
            f"{', '.join(args.onnx or args.weights or kept['onnx'] or kept['weights'])}: they cannot be compared."
        )
    return extraction
