"""Reading CMC curves from what runs and commands wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from vreid_common.errors import InputError

__all__ = ["read_curve"]

T = TypeVar("T")


def read_curve(path: str | Path, dataset: str = "", feature: str = "") -> list[float]:
    """One CMC curve, as fractions from rank 1 on.

    Args:
        path: OUTPUT_DIR of a run, its cmc.json, or the JSON file of ``vreid evaluate`` or ``vreid rerank``.
        dataset: test set of the run; "" is the only one.
        feature: in a run, a feature's name, with a slash and a subset's behind it where one is meant (``main/2400``); in a
            command's file, the name of a result. "" is the first.

    Raises:
        InputError: the file is none of these, or does not have that curve; the message names those that it has.
    """
    path = Path(path)
    path = path / "cmc.json" if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "results" in content:
            return _choose({entry["name"]: entry["cmc"] for entry in content["results"] if "cmc" in entry}, feature, path)
        curves = {name: dict(found) for name, found in content.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} has no CMC curves of a run or of vreid evaluate ({type(error).__name__}: {error})."
        ) from error
    if not dataset and len(curves) > 1:
        raise InputError(f"{path} has curves of {', '.join(curves)}: name one as the dataset.")
    return _choose(_choose(curves, dataset, path), feature, path)


def _choose(found: dict[str, T], name: str, path: Path) -> T:
    """The entry of that name, or the first where none is named."""
    if found and not name:
        return next(iter(found.values()))
    if name not in found:
        raise InputError(f"{path} has no curve {name!r}; it has {', '.join(found) or 'none'}.")
    return found[name]
