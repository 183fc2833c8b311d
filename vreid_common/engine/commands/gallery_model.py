"""The model of a gallery: kept with it, so that images that are added or searched for need not name it again.

A gallery may come from a stranger, so what it says of its model is data. Digests tell whether a model is the gallery's, its
project is named and has to be installed, and the paths of its files are hints: only files with the right digest are used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vreid_common.engine.config_file import written_config_digest
from vreid_common.engine.extraction import AMP, Extraction, read_extraction
from vreid_common.engine.installed import installed_projects
from vreid_common.errors import InputError
from vreid_common.features import COMBINATIONS, file_digest

__all__ = ["model_line", "model_record", "names_a_model", "read_gallery_extraction"]

_DIGESTS = {"config_file": written_config_digest, "weights": file_digest, "onnx": file_digest}
"""Arguments that name files of a model, and what a file is known by: a configuration with what its _BASE_ names."""
_SETTINGS = {"scales": (1.0,), "flip": False, "combine": "sum", "amp": None}
"""Arguments that say how features are combined, and their defaults."""


def model_record(args: argparse.Namespace, extraction: Extraction) -> dict[str, Any]:
    """What ``read_gallery_extraction`` reads: what tells the model from another one, and where its files are."""
    return {
        "origins": [model.origin() for model in extraction.models],
        "projects": [model.project for model in extraction.models],
        "transform": extraction.settings()["transform"],
        "settings": {name: getattr(args, name) for name in _SETTINGS},
        "opts": list(args.opts),
        "files": {
            name: [{"path": str(Path(file).resolve()), "sha256": digest(file)} for file in getattr(args, name)]
            for name, digest in _DIGESTS.items()
        },
    }


def names_a_model(args: argparse.Namespace) -> bool:
    """Whether the arguments name a model at all."""
    return any(getattr(args, name) for name in _DIGESTS)


def model_line(record: Mapping[str, Any] | None) -> str:
    """What made a gallery's features, for people."""
    if record is None:
        return "built from features"
    _check_record(record)
    return f"features by {', '.join(_paths(record, 'onnx') or _paths(record, 'weights'))}"


def read_gallery_extraction(args: argparse.Namespace, record: Mapping[str, Any] | None) -> Extraction:
    """How features are made that can be compared with a gallery's.

    Args:
        args: of ``add_extraction_arguments``. They may name the model, where its files have moved or it is exported; else it is
            the gallery's own. How features are combined need not be said either.
        record: of ``model_record``; None where the gallery was built from features of unknown origin.

    Raises:
        InputError: no model is known, its files are no longer what they were, its project is not installed and not named by
            ``args``, or the features would be others than the gallery's.
    """
    named = names_a_model(args)
    if record is None:
        if not named:
            raise InputError("The gallery was built from features: name their model by --config-file and --weights, or --onnx.")
        return read_extraction(args)
    _check_record(record)
    kept = record["settings"] | {"scales": tuple(record["settings"]["scales"])}
    for name, default in _SETTINGS.items():
        if getattr(args, name) not in (default, kept[name]):
            raise InputError(f"--{name} is {getattr(args, name)}, but the gallery's features were made with {kept[name]}.")
    taken: dict[str, Any] = {name: kept[name] for name in _SETTINGS}
    if not named:
        taken |= {name: _checked(name, record["files"][name]) for name in _DIGESTS}
        taken |= {"opts": [*record["opts"], *args.opts], "project": args.project or _installed(record["projects"])}
    extraction = read_extraction(argparse.Namespace(**{**vars(args), **taken}))
    same_models = [model.origin() for model in extraction.models] == record["origins"]
    if not same_models or extraction.settings()["transform"] != record["transform"]:
        files = args.onnx or args.weights or _paths(record, "onnx") or _paths(record, "weights")
        raise InputError(f"The gallery's features come from another model than {', '.join(files)}: they cannot be compared.")
    return extraction


def _check_record(record: Mapping[str, Any]) -> None:
    """Refuses what ``model_record`` did not write."""
    try:
        files = [file for name in _DIGESTS for file in record["files"][name]]
        texts = [record["transform"], *record["opts"], *record["projects"]]
        texts += [file[name] for file in files for name in ("path", "sha256")]
        scales = record["settings"]["scales"]
        sound = (
            all(isinstance(text, str) for text in texts)
            and len(record["origins"]) == len(record["projects"]) > 0
            and all(isinstance(scale, int | float) and 0 < scale < float("inf") for scale in scales)
            and record["settings"].keys() == _SETTINGS.keys()
            and record["settings"]["combine"] in COMBINATIONS
            and record["settings"]["amp"] in (None, *AMP)
        )
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise InputError("gallery.json does not name the model as `vreid gallery build` writes it: build the gallery again.")


def _paths(record: Mapping[str, Any], name: str) -> list[str]:
    return [file["path"] for file in record["files"][name]]


def _checked(name: str, files: Iterable[Mapping[str, str]]) -> list[str]:
    """Where files of the model lie that are what they were when the gallery was built."""
    advice = "name the gallery's model by --config-file and --weights, or --onnx"
    for file in files:
        if not Path(file["path"]).is_file():
            raise InputError(f"{file['path']} does not exist: {advice}.")
        if _DIGESTS[name](file["path"]) != file["sha256"]:
            raise InputError(f"{file['path']} is no longer the file that the gallery's features were made with: {advice}.")
    return [file["path"] for file in files]


def _installed(projects: Iterable[str]) -> str:
    """The name of the models' project, "" where they have none or several, which their configurations then tell."""
    names = sorted(set(projects))
    for name in names:
        if name and name not in installed_projects():  # by this a name is never taken for a folder
            raise InputError(
                f"The gallery's model is of the project {name}, which is not installed: name its folder with --project."
            )
    return names[0] if len(names) == 1 else ""
