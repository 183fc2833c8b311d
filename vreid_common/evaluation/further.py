"""Features of the test images that other models' evaluations saved, for re-ranking with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from vreid_common.errors import InputError
from vreid_common.structures import FeatureSet

__all__ = ["lies_in", "read_further", "same_images"]


def read_further(
    entries: Sequence[Sequence[str]], query: FeatureSet, gallery: FeatureSet
) -> dict[str, tuple[FeatureSet, FeatureSet]]:
    """Name → (query, gallery) of ``RERANK.FURTHER``.

    Args:
        entries: name and path of each; the files are ``<path>_query`` and ``<path>_gallery``.
        query, gallery: the images that the features have to be of.

    Raises:
        InputError: an entry is no name and path, or its files are missing, damaged, or of other images.
    """
    found: dict[str, tuple[FeatureSet, FeatureSet]] = {}
    for entry in entries:
        if isinstance(entry, str) or len(entry) != 2 or not all(isinstance(part, str) for part in entry):
            raise InputError(
                f"RERANK.FURTHER has {entry!r}: write a name and a path, e.g. [camera, logs/camera/features/main]."
            )
        name, path = entry
        pair = FeatureSet.load(f"{path}_query"), FeatureSet.load(f"{path}_gallery")
        for side, images, expected in zip(("query", "gallery"), pair, (query, gallery), strict=True):
            if not same_images(images, expected):
                raise InputError(
                    f"RERANK.FURTHER: {path}_{side} has the features of other images than the test set's, or in another order: "
                    "evaluate its model on the same set again."
                )
        found[name] = pair
    return found


def lies_in(entry: Sequence[str], folders: Sequence[str]) -> bool:
    """Whether an entry of ``RERANK.FURTHER`` names files in one of the folders."""
    if isinstance(entry, str) or len(entry) != 2 or not all(isinstance(part, str) for part in entry):
        return False
    return any(Path(entry[1]).absolute().is_relative_to(Path(folder).absolute()) for folder in folders)


def same_images(images: FeatureSet, others: FeatureSet) -> bool:
    """Whether two sets list the same files in the same order, by their names without folders, which may have moved since."""
    return [PurePath(path).name for path in images.paths] == [PurePath(path).name for path in others.paths]
