"""Queries with their first gallery images, one strip a ranking (DEx, Fig. 1 and 4).

Shape shorthand: Q queries, G gallery images, K ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vreid_common.data import read_image
from vreid_common.errors import InputError
from vreid_common.evaluation.rules import MatchRule, any_image
from vreid_common.files import write_atomically
from vreid_common.structures import UNKNOWN, DistanceRows, FeatureSet

__all__ = ["RankList", "choose_queries", "draw_rank_lists", "rank_lists", "save_picture"]

_SIDE, _FRAME, _GAP, _TEXT = 96, 4, 4, 12
_QUERY, _RIGHT, _WRONG, _OPEN = (70, 70, 70), (40, 160, 70), (210, 50, 45), (170, 170, 170)
"""Colours of frames: the query, a gallery image of its vehicle, one of another, and one of which nothing is known."""


@dataclass(frozen=True)
class RankList:
    """The first gallery images of one query in one ranking.

    Attributes:
        name: of the ranking.
        query: the query, as an index.
        images: indices of the gallery's, the nearest first.
        distances: of each.
        correct: of each whether it shows the query's vehicle; None where a vehicle is unknown.
    """

    name: str
    query: int
    images: tuple[int, ...]
    distances: tuple[float, ...]
    correct: tuple[bool | None, ...]


def choose_queries(num_queries: int, count: int) -> list[int]:
    """``count`` queries (all if there are fewer) at even distances: a picture of chosen ones says nothing of the others."""
    count = min(count, num_queries)
    return [place * num_queries // count for place in range(count)]


def rank_lists(
    query: FeatureSet,
    gallery: FeatureSet,
    distances: Mapping[str, DistanceRows],
    queries: Sequence[int],
    top_k: int = 10,
    match: MatchRule = any_image,
) -> list[RankList]:
    """The first ``top_k`` gallery images of some queries in each of several rankings, query by query.

    Args:
        query: the Q queries.
        gallery: the G gallery images.
        distances: name → (Q, G), smaller is nearer; ties are broken by gallery index.
        queries: which, as indices.
        top_k: K.
        match: the protocol's rule (``Protocol.match_rule``); images of the query's vehicle that it does not let count are left
            out, as they are of the metrics.

    Raises:
        ValueError: ``top_k`` is below 1.
    """
    if top_k < 1:
        raise ValueError(f"top_k is at least 1, got {top_k}.")
    pids = gallery.pids.numpy()
    lists = []
    for row in queries:
        pid = int(query.pids[row])
        same = np.flatnonzero((pids == pid) & (pid != UNKNOWN))
        left_out = np.zeros(len(gallery), bool)
        left_out[same] = ~match(np.full(len(same), row), same)
        for name, distance in distances.items():
            values = distance.rows(row, row + 1)[0].cpu().numpy()
            order = np.argsort(values, kind="stable")
            first = order[~left_out[order]][:top_k]
            lists.append(
                RankList(
                    name,
                    row,
                    tuple(first.tolist()),
                    tuple(values[first].tolist()),
                    tuple(None if UNKNOWN in (pid, other) else pid == other for other in pids[first].tolist()),
                )
            )
    return lists


def draw_rank_lists(lists: Sequence[RankList], query: FeatureSet, gallery: FeatureSet) -> Image.Image:
    """A strip for each list: the query in a dark frame, then its gallery images: green is right, red wrong, grey unknown.

    Raises:
        InputError: there is no list, or an image has no path.
        ImageReadError: an image cannot be read.
    """
    if not lists:
        raise InputError("There is no rank list to draw.")
    for side, images in (("query", query), ("gallery", gallery)):
        if not all(images.paths):
            raise InputError(f"The {side} image in row {images.paths.index('')} has no path, so it cannot be drawn.")
    cell = _SIDE + 2 * _FRAME + _GAP
    columns = 1 + max(len(entry.images) for entry in lists)
    picture = Image.new("RGB", (columns * cell + 3 * _GAP, len(lists) * (cell + _TEXT) + _GAP), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(_TEXT - 2)
    for row, entry in enumerate(lists):
        top = row * (cell + _TEXT) + _GAP
        pen.text((_GAP, top), entry.name, fill="black", font=font)
        picture.paste(_framed(query.paths[entry.query], _QUERY), (_GAP, top + _TEXT))
        for place, (image, correct) in enumerate(zip(entry.images, entry.correct, strict=True), start=1):
            colour = _OPEN if correct is None else _RIGHT if correct else _WRONG
            picture.paste(_framed(gallery.paths[image], colour), (place * cell + 3 * _GAP, top + _TEXT))
    return picture


def save_picture(picture: Image.Image, path: str | Path) -> None:
    """Writes a picture as PNG or JPEG, as the ending of ``path`` says, under a temporary name first.

    Raises:
        InputError: it ends otherwise, or there is no such folder.
    """
    path = Path(path)
    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
    if path.suffix.lower() not in kinds:
        raise InputError(f"{path}: end the name of a picture in {', '.join(kinds)}.")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
    write_atomically(path, lambda temporary: picture.save(temporary, format=kinds[path.suffix.lower()]))


def _framed(path: str, colour: tuple[int, int, int]) -> Image.Image:
    image = ImageOps.pad(read_image(path, _SIDE), (_SIDE, _SIDE), color="white")
    return ImageOps.expand(image, _FRAME, colour)
