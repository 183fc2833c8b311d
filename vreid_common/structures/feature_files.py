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
from vreid_common.structures.feature_set import FeatureSet
from vreid_common.structures.item import UNKNOWN

__all__ = ["read_features"]

_LABELS = ("pids", "camids", "track_ids", "view_ids", "timestamps")


def read_features(path: str | os.PathLike[str]) -> FeatureSet:
    """Reads a feature set (.safetensors with its .json), a .npy of features or a .npz of features and labels.

    A .npy holds the features (N, D) alone. A .npz holds ``features`` and, where they are known, ``pids``, ``camids``,
    ``track_ids``, ``view_ids``, ``timestamps`` (N,) of whole numbers and ``paths`` (N,) of strings. What is not there is
    unknown (-1). Nothing is unpickled.

    Raises:
        InputError: the file is missing, damaged or of another kind, or its arrays do not fit one another.
    """
    path = Path(path)
    if path.suffix not in (".npy", ".npz"):
        return FeatureSet.load(path)
    if not path.is_file():
        raise InputError(f"{path} is missing.")
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"features": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        # Without NumPy's own words, which advise to unpickle.
        raise InputError(
            f"{path} cannot be read as {path.suffix} without pickled objects: it is damaged, or of another kind."
        ) from error
    return _from_arrays(path, arrays)


def _from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> FeatureSet:
    if "features" not in arrays:
        others = f"but {', '.join(arrays)}" if arrays else "and no other"
        raise InputError(f"{path} has no array 'features', {others}: write np.savez(file, features=...).")
    features = arrays["features"]
    if features.ndim != 2 or features.dtype.kind != "f":
        raise InputError(f"{path}: features are an (N, D) array of floats, got {features.dtype} {features.shape}.")
    for name in _LABELS:
        if name in arrays and (arrays[name].shape != (len(features),) or arrays[name].dtype.kind not in "iu"):
            raise InputError(
                f"{path}: {name} are ({len(features)},) whole numbers, as there are {len(features)} features; "
                f"got {arrays[name].dtype} {arrays[name].shape}."
            )
        if name in arrays and arrays[name].dtype == np.uint64 and (arrays[name] > np.iinfo(np.int64).max).any():
            raise InputError(f"{path}: {name} are below 2**63, got {arrays[name].max()}.")
    paths = arrays.get("paths")
    if paths is not None and (paths.shape != (len(features),) or paths.dtype.kind != "U"):
        raise InputError(f"{path}: paths are ({len(features)},) strings, got {paths.dtype} {paths.shape}.")
    try:
        return FeatureSet.create(
            np.require(features, np.float32, ["C", "W"]),
            **{name: arrays.get(name, np.full(len(features), UNKNOWN)) for name in _LABELS},
            paths=None if paths is None else paths.tolist(),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
