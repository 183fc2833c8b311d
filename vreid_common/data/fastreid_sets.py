"""What is wrong with a folder that one of FastReID's own data sets reads, in a sentence: their readers have none."""

import traceback
from collections.abc import Iterator
from pathlib import Path

from fastreid.data.datasets.bases import ImageDataset

from vreid_common.data.datasets.layout import passed_over

__all__ = ["empty_splits", "explain_reader_error", "is_fastreids"]

_OWN_LIST = "list your own images in a CSV file and name the data set CSVVehicles (docs/custom-data.md)"


def is_fastreids(cls: type[ImageDataset]) -> bool:
    """Whether a data set is read by FastReID's code."""
    return cls.__module__.startswith("fastreid.")


def explain_reader_error(name: str, error: Exception) -> str:
    """The sentence for what a reader raised, mostly a bare ``assert`` on the vehicle or camera in an image's name."""
    frames = [
        frame for frame in traceback.walk_tb(error.__traceback__) if frame[0].f_globals["__name__"].startswith("fastreid.")
    ]
    seen = frames[-1][0].f_locals if frames else {}
    image = seen.get("img_path") or seen.get("img_name") or "an image"
    if isinstance(error, AssertionError):
        line = (traceback.extract_tb(error.__traceback__)[-1].line or "").removeprefix("assert ").partition("#")[0].strip()
        values = ", ".join(f"{key} {seen[key]}" for key in ("pid", "camid") if key in seen)
        reason = f"it has {values}, and FastReID's reader of {name} takes only {line}" if values else f"it wants {line}"
    else:
        reason = f"FastReID's reader of {name} does not understand its name or list ({type(error).__name__}: {error})"
    return f"Cannot read the data set {name} at {image}: {reason}; correct it, or {_OWN_LIST}."


def empty_splits(dataset: ImageDataset) -> Iterator[str]:
    """One sentence for each split of FastReID's without images: what its reader passed over, or that nothing is there."""
    for split in ("train", "query", "gallery"):
        if getattr(dataset, split):
            continue
        folder = getattr(dataset, f"{split}_dir", None)
        if folder and Path(folder).is_dir():
            yield passed_over(Path(folder)) or f"{folder} has no images."
        else:
            yield f"Split {split!r} has no images."
