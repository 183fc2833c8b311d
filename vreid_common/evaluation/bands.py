"""Bands of queries, and the tiles in which a band's distances are read.

Shape shorthand: Q queries, G gallery images, R query rows and C columns of a tile, M pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.structures import DenseRows, DistanceRows, DistanceTiles, TiledRows
from vreid_common.threads import run_threads

__all__ = ["Band", "Tile", "bands"]

# Queries of a band that is read in tiles: as many as the highest tile has, so that tiles of features have one height.
_TILED_ROWS = 2048
# Bytes of a block of rows, of a distance that can be read by rows only, and of all that is kept for the pairs of a band.
_ROWS_BYTES = 32 << 20
_PAIRS_BYTES = 20 << 20
_BYTES_A_PAIR = 160
# The pairs of so many queries are one thread's work.
_PAIR_ROWS = 64


class Tile(NamedTuple):
    """``rows`` count from the band's start; the first ``skip`` of the ``columns`` belong to an earlier tile too."""

    rows: slice
    columns: slice
    skip: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True, eq=False)
class Band:
    """Queries ``start`` to ``stop`` and their distances."""

    start: int
    stop: int
    distance: DistanceTiles

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def empty(self) -> Tensor:
        """(0, 0), of the distance's type and on its device."""
        return self.distance.tile(slice(0, 0), slice(0, 0))

    def tiles(self) -> list[Tile]:
        """Tiles that cover the band, column after column, none larger than the first.

        All are of one width. The last ones overlap those before: a product of another shape might round otherwise.
        """
        height, width = self.distance.tile_shape
        num_gallery = self.distance.shape[1]
        width = min(width, num_gallery)
        tiles = []
        for column in range(0, num_gallery, max(1, width)):
            first = min(column, num_gallery - width)
            for row in range(0, len(self), height):
                rows = slice(row, min(row + height, len(self)))
                tiles.append(Tile(rows, slice(first, first + width), column - first))
        return tiles

    def pair_distances(self, pairs: IdentityPairs) -> Tensor:
        """Distances (M,) of ``pairs.of(start, stop)``, on the distance's device."""
        query, gallery = (torch.from_numpy(indices) for indices in pairs.of(self.start, self.stop))
        query -= self.start
        found = self.empty.new_empty(len(query))
        if found.device.type != "cpu":
            return self.distance.pairs(query, gallery)
        edges = torch.searchsorted(query, torch.arange(0, len(self) + _PAIR_ROWS, _PAIR_ROWS))

        def work(numbers: Iterator[int]) -> None:
            for number in numbers:
                part = slice(int(edges[number]), int(edges[number + 1]))
                found[part] = self.distance.pairs(query[part], gallery[part])

        run_threads(work, len(edges) - 1)
        return found


def bands(distance: DistanceRows, pairs: IdentityPairs, queries: range) -> Iterator[Band]:
    """Cuts ``queries`` into bands for whose pairs there is memory; each is read as a block if ``distance`` has no tiles."""
    tiled = isinstance(distance, TiledRows)
    num_gallery = distance.shape[1]
    height = _TILED_ROWS
    if not tiled:
        height = max(1, _ROWS_BYTES // (max(1, num_gallery) * distance.rows(0, min(1, distance.shape[0])).element_size()))
    pairs_before = np.concatenate([[0], np.cumsum(pairs.counts[queries.start : queries.stop])])
    start = queries.start
    while start < queries.stop:
        limit = pairs_before[start - queries.start] + _PAIRS_BYTES // _BYTES_A_PAIR
        fitting = queries.start + int(np.searchsorted(pairs_before, limit, side="right")) - 1
        stop = min(max(fitting, start + 1), start + height, queries.stop)
        # Not kept in a variable: the block would still be there while the next one is computed.
        yield Band(start, stop, distance.tiles(start, stop) if tiled else _as_tiles(distance.rows(start, stop)))
        start = stop


def _as_tiles(block: Tensor) -> DistanceTiles:
    return DenseRows(block).tiles(0, len(block))
