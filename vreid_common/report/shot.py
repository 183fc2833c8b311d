"""An image as a page shows it: a small picture and labels in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from vreid_common.report.thumbnails import Thumbnails
from vreid_common.structures import NAMED_LABELS, FeatureSet

__all__ = ["Shot", "shot_of"]


@dataclass(frozen=True)
class Shot:
    """An image on a page.

    Attributes:
        picture: its data URI; None where a placeholder has to stand for it.
        file: its file's name.
        vehicle: its vehicle in words.
        place: its camera and its track, as far as they are known.
    """

    picture: str | None
    file: str
    vehicle: str
    place: tuple[str, ...]


def shot_of(images: FeatureSet, row: int, thumbnails: Thumbnails) -> Shot:
    """The image in a row."""
    vehicle, camera, track = (images.name_of(label, row) for label in NAMED_LABELS)
    return Shot(
        thumbnails(images.paths[row]),
        PurePath(images.paths[row]).name or "no path",
        "unknown vehicle" if vehicle is None else f"vehicle {vehicle}",
        tuple(f"{word} {name}" for word, name in (("camera", camera), ("track", track)) if name is not None),
    )
