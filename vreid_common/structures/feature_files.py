"""Features from files of other programs' kinds, beside the FeatureSet's own.

Shape shorthand: N images, D feature dimensions.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from vreid_common.errors import InputError
from vreid_common.kinds import not_a_feature_file
from vreid_common.structures.feature_set import FeatureSet
from vreid_common.structures.item import UNKNOWN
from vreid_common.structures.names import NAMED_LABELS, LabelNames, number_names
from vreid_common.structures.numpy_header import check_numpy_headers

__all__ = ["read_features"]

_LABELS = ("pids", "camids", "track_ids", "view_ids", "timestamps")


def read_features(path: str | os.PathLike[str]) -> FeatureSet:
    """Reads a feature set (.safetensors with its .json), a .npy of features or a .npz of features and labels.

    A .npy holds the features (N, D) alone. A .npz holds ``features`` and, where they are known, ``pids``, ``camids``,
    ``track_ids``, ``view_ids``, ``timestamps`` (N,) of whole numbers and ``paths`` (N,) of strings. ``pids``, ``camids`` and
    ``track_ids`` may be strings, the names of vehicles, cameras and tracks. What is not there, "" or -1 is unknown. Nothing is
    unpickled.

    Raises:
        InputError: the file is missing, damaged or of another kind, or its arrays do not fit one another.
    """
    path = Path(path)
    if not path.name:  # "" is the working directory
        raise InputError(f"{str(path)!r} is a folder, not a feature file: name one.")
    if path.suffix not in (".npy", ".npz"):
        fault = "" if _is_feature_set(path) else not_a_feature_file(path)
        if fault:
            raise InputError(fault)
        return FeatureSet.load(path)
    if not path.is_file():
        raise InputError(not_a_feature_file(path))
    wanted = ("features", "paths", *_LABELS)
    try:
        names = check_numpy_headers(path, wanted)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {"features": loaded}
        else:
            arrays = {name: loaded[name] for name in names if name in wanted}
    except InputError:
        raise
    except (OSError, EOFError, ValueError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        # Without NumPy's own words, which advise to unpickle.
        raise InputError(
            f"{path} cannot be read as {path.suffix} without pickled objects: it is damaged, or of another kind."
        ) from error
    if "features" not in arrays:
        others = f"but {', '.join(names)}" if names else "and no other"
        raise InputError(f"{path} has no array 'features', {others}: write np.savez(file, features=...).")
    return _from_arrays(path, arrays)


def _is_feature_set(path: Path) -> bool:
    """Whether the path means a feature set that is there, at least in part."""
    return path.suffix in (".safetensors", ".json") or any(
        path.with_name(f"{path.name}{suffix}").exists() for suffix in (".safetensors", ".json")
    )


def _from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> FeatureSet:
    features = arrays["features"]
    if features.ndim != 2 or features.dtype.kind != "f":
        raise InputError(f"{path}: features are an (N, D) array of floats, got {features.dtype} {features.shape}.")
    numbered = {label: number_names(arrays[label].tolist()) for label in NAMED_LABELS if _is_text(arrays.get(label))}
    labels = {label: np.array([numbered[label][name] for name in arrays[label].tolist()], np.int64) for label in numbered}
    labels |= {label: arrays[label] for label in _LABELS if label in arrays and label not in numbered}
    for name, label in labels.items():
        if label.shape != (len(features),) or label.dtype.kind not in "iu":
            raise InputError(
                f"{path}: {name} are ({len(features)},) whole numbers, as there are {len(features)} features; "
                f"got {label.dtype} {label.shape}."
            )
        if label.dtype == np.uint64 and (label > np.iinfo(np.int64).max).any():
            raise InputError(f"{path}: {name} are below 2**63, got {label.max()}.")
        if (label.astype(np.int64) < UNKNOWN).any():
            raise InputError(f"{path}: {name} are 0 or more, and -1 where unknown; got {label.min()}.")
    paths = arrays.get("paths")
    if paths is not None and (paths.shape != (len(features),) or paths.dtype.kind != "U"):
        raise InputError(f"{path}: paths are ({len(features)},) strings, got {paths.dtype} {paths.shape}.")
    try:
        return FeatureSet.create(
            np.require(features, np.float32, ["C", "W"]),
            **{name: labels.get(name, np.full(len(features), UNKNOWN)) for name in _LABELS},
            paths=None if paths is None else paths.tolist(),
            names=LabelNames.of_numbers(**numbered),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _is_text(label: np.ndarray | None) -> bool:
    return label is not None and label.dtype.kind == "U" and label.ndim == 1
