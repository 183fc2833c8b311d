"""An image as a page shows it: a small picture and labels in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from vreid_common.report.thumbnails import Thumbnails
from vreid_common.structures import UNKNOWN, FeatureSet

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
    pid, camid, track = (int(getattr(images, name)[row]) for name in ("pids", "camids", "track_ids"))
    return Shot(
        thumbnails(images.paths[row]),
        PurePath(images.paths[row]).name or "no path",
        "unknown vehicle" if pid == UNKNOWN else f"vehicle {pid}",
        tuple(f"{name} {value}" for name, value in (("camera", camid), ("track", track)) if value != UNKNOWN),
    )
