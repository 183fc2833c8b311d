"""Which gallery images are a query's own picture: the same file, or a copy of it under another name.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vreid_common.structures.image_digests import image_digest
from vreid_common.structures.item import UNKNOWN

if TYPE_CHECKING:
    from vreid_common.structures.feature_set import FeatureSet

__all__ = ["Copies", "Pictures", "find_copies"]


@dataclass(frozen=True, eq=False)
class Pictures:
    """One side: (N,) ``pids``, the N ``paths`` ("" where not known), and (N,) ``digests`` of the files, -1 where not known."""

    pids: np.ndarray
    paths: Sequence[str]
    digests: np.ndarray

    @classmethod
    def of(cls, images: FeatureSet) -> Pictures:
        return cls(images.pids.numpy(), images.paths, images.image_digests.numpy())


@dataclass(frozen=True, eq=False)
class Copies:
    """Numbers of pictures.

    Attributes:
        query, gallery: (Q,) and (G,) int64; a gallery image of a query's vehicle that is its picture has its number.
        pairs: how many (query, gallery image) pairs of one vehicle are one picture.
        compared: whether all pictures could be compared; False where paths or files are missing.
    """

    query: np.ndarray
    gallery: np.ndarray
    pairs: int
    compared: bool

    def of_pairs(self, pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Of (query indices, gallery indices) of one vehicle those of one picture."""
        query, gallery = pairs
        same = self.query[query] == self.gallery[gallery]
        return query[same], gallery[same]


def find_copies(query: Pictures, gallery: Pictures) -> Copies:
    """Compares the pictures of each vehicle that has both queries and gallery images.

    Digests decide where all pictures have one. Otherwise files decide, each of which is looked at once, and read only where a
    query and a gallery image of one vehicle are of one size; where there is no file, its path does.
    """
    if (query.digests != UNKNOWN).all() and (gallery.digests != UNKNOWN).all():
        return Copies(query.digests, gallery.digests, _count_pairs(query, gallery, query.digests, gallery.digests), True)
    sides = (query, gallery)
    shared = set(np.intersect1d(query.pids, gallery.pids).tolist()) - {UNKNOWN}
    # Of each vehicle: size of file → its images on both sides. What has no file is compared by path alone.
    alike: dict[tuple[int, int | str], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    compared = True
    for side, images in enumerate(sides):
        for row in np.flatnonzero(np.isin(images.pids, list(shared))).tolist():
            path = images.paths[row]
            size = _size(path)
            compared &= isinstance(size, int)
            if path:
                alike[int(images.pids[row]), size][side].append(row)
    numbers = [np.arange(len(query.pids)), len(query.pids) + np.arange(len(gallery.pids))]
    for (_, size), rows in alike.items():
        if not (rows[0] and rows[1]):
            continue
        first: dict[int | str, int] = {}
        for side, images in enumerate(sides):
            for row in rows[side]:
                picture: int | str = image_digest(images.paths[row]) if isinstance(size, int) else size
                if picture == UNKNOWN:  # a file that cannot be read is like no other
                    picture, compared = os.path.abspath(images.paths[row]), False  # noqa: PTH100
                numbers[side][row] = first.setdefault(picture, int(numbers[side][row]))
    return Copies(*numbers, _count_pairs(query, gallery, *numbers), compared)


def _size(path: str) -> int | str:
    """Of a file, in bytes; the path, made absolute, where there is no file."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a Path an image costs more than its stat
    except (OSError, ValueError):
        return os.path.abspath(path)  # noqa: PTH100 - of a text, not of a file


def _count_pairs(query: Pictures, gallery: Pictures, asked: np.ndarray, stored: np.ndarray) -> int:
    known = query.pids != UNKNOWN
    pictures, counts = np.unique(np.stack([query.pids[known], asked[known]]), axis=1, return_counts=True)
    found = np.isin(stored, pictures[1])
    there, others = np.unique(np.stack([gallery.pids[found], stored[found]]), axis=1, return_counts=True)
    number = dict(zip(map(tuple, pictures.T.tolist()), counts.tolist(), strict=True))
    return sum(number.get(tuple(pair), 0) * count for pair, count in zip(there.T.tolist(), others.tolist(), strict=True))
