"""Counting the places of all entries of a band of queries, tile by tile, each while it is in the cache.

On a CPU every thread computes tiles of its own with a product of one thread and counts them at once: nothing waits for the
slowest thread of a product, and torch's OpenMP threads do not spin while distances are counted.

Shape shorthand: M marks, R rows and C columns of a tile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from vreid_common.evaluation.bands import Band, Tile
from vreid_common.evaluation.counting import TAIL, count_tile, fill_tails, leave_out
from vreid_common.evaluation.device_counting import DevicePlaces
from vreid_common.evaluation.marks import Marks
from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.structures import Finish
from vreid_common.threads import run_threads

__all__ = ["NotANumber", "count_places"]


class NotANumber(ValueError):
    """A distance of query ``query`` is NaN."""

    def __init__(self, query: int) -> None:
        super().__init__(f"The distance of query {query} to a gallery image is not a number.")
        self.query = query


def count_places(band: Band, marks: Marks, segments: np.ndarray, pairs: IdentityPairs, limit: int | None = None) -> np.ndarray:
    """How many entries of a band have their place (see ``counting``) at each mark.

    Images of the query's own identity are not counted.

    Args:
        marks: of the distance's type.
        segments: (R,) int64, the segment of the marks for each row of the band.
        limit: if given, marks of the first segment that more entries than this are before need not be counted exactly: the
            sum up to and with them is only known to be larger.

    Returns:
        (M,) int64.

    Raises:
        NotANumber: a distance is NaN.
    """
    # The device's way of comparing is one for float32.
    on_host = band.empty.device.type == "cpu" or band.empty.dtype != torch.float32
    histogram, bad = _on_host(band, marks, segments, pairs, limit) if on_host else _on_device(band, marks, segments, pairs)
    if bad.any():
        raise NotANumber(band.start + int(bad.argmax()))
    return histogram


def _on_host(
    band: Band, marks: Marks, segments: np.ndarray, pairs: IdentityPairs, limit: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The histogram (M,) and which of the band's rows have a NaN."""
    tiles = band.tiles()
    own = _OwnEntries(band, pairs, tiles)
    dtype = torch.from_numpy(marks.distances).dtype
    column_finish, row_finish = _finish_arrays(band.distance.finish, dtype)
    total, bad = np.zeros(len(marks.distances), np.int64), np.zeros(len(band), bool)
    lock = threading.Lock()

    def work(numbers: Iterator[int]) -> None:
        buffer = torch.empty(tiles[0].shape, dtype=dtype)
        histogram, kept = np.zeros_like(total), tuple(marks)
        ends, tails = marks.offsets[1:].copy(), _tails(marks)
        for done, number in enumerate(numbers, start=1):
            tile = tiles[number]
            entries, stride = _flat(band.distance.tile(tile.rows, tile.columns, buffer[: tile.shape[0]]))
            area, finish = (tile.columns.start, tile.columns.stop, tile.skip), (column_finish, row_finish[tile.rows])
            of_rows = segments[tile.rows]
            count_tile(entries, stride, area, finish, of_rows, kept, ends, tails, histogram, bad[tile.rows])
            leave_out(entries, stride, area, finish, *own.of(number), of_rows, kept, ends, histogram)
            # Now and then is enough: the number of tiles doubles from one time to the next.
            if limit is not None and done & (done - 1) == 0:
                # Marks that more entries than the limit are before are wanted no longer.
                ends[0] = np.searchsorted(np.cumsum(histogram[: ends[0]]), limit, side="right")
                fill_tails(kept, ends, *tails)
        with lock:
            np.add(total, histogram, out=total)

    run_threads(work, len(tiles))
    return total, bad


def _tails(marks: Marks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = len(marks.offsets) - 1, TAIL
    tails = np.empty(shape, marks.distances.dtype), np.empty(shape, marks.distances.dtype), np.empty(shape, np.int64)
    fill_tails(tuple(marks), marks.offsets[1:], *tails)
    return tails


class _OwnEntries:
    """The entries of each tile that are of the queries' own identities."""

    def __init__(self, band: Band, pairs: IdentityPairs, tiles: Sequence[Tile]) -> None:
        query, gallery = pairs.of(band.start, band.stop)
        query -= band.start
        # Tiles of one part of the rows have one key; theirs are sorted by column, so that those of a tile follow one another.
        height = band.distance.tile_shape[0]
        part, size = query // height, band.distance.shape[1] + 1
        order = np.argsort(part * size + gallery)
        self._rows, self._columns = query[order] % height, gallery[order]
        bounds = [
            tile.rows.start // height * size + np.array((tile.columns.start + tile.skip, tile.columns.stop)) for tile in tiles
        ]
        self._bounds = np.searchsorted((part * size + gallery)[order], np.array(bounds, np.int64).reshape(-1, 2))

    def of(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(N,) row in tile ``number`` and (N,) gallery index, without the columns to be skipped."""
        first, last = self._bounds[number]
        return self._rows[first:last], self._columns[first:last]


def _finish_arrays(finish: Finish | None, dtype: torch.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Column and row, empty where there is none."""
    nothing = torch.empty(0, dtype=dtype)
    column, row = (nothing, nothing) if finish is None else (finish.column, nothing if finish.row is None else finish.row)
    return column.cpu().numpy(), row.cpu().numpy()


def _flat(tile: Tensor) -> tuple[np.ndarray, int]:
    """The tile as one array from the first to the last entry, and by how much a row begins after the one before.

    Compiled code is fast on contiguous memory only, and most tiles of a matrix are not copied like this.
    """
    tile = tile.cpu()
    if not tile.is_contiguous() and tile.stride(1) != 1:
        tile = tile.contiguous()
    height, width = tile.shape
    stride = tile.stride(0)
    return tile.as_strided(((height - 1) * stride + width,), (1,)).numpy(), stride


def _on_device(band: Band, marks: Marks, segments: np.ndarray, pairs: IdentityPairs) -> tuple[np.ndarray, np.ndarray]:
    """The same by torch, on the device."""
    device = band.empty.device
    places = DevicePlaces(marks, segments, device)
    tiles = band.tiles()
    own = _OwnEntries(band, pairs, tiles)
    for number, tile in enumerate(tiles):
        values = band.distance.tile(tile.rows, tile.columns)
        if band.distance.finish is not None:
            values = band.distance.finish.apply_(values, tile.rows, tile.columns)
        first = tile.columns.start + tile.skip
        rows, columns = (torch.from_numpy(index).to(device) for index in own.of(number))
        places.add(values[:, tile.skip :], tile.rows.start, first, (rows, columns - first))
    return places.result()
