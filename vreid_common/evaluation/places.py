"""Counting the places of all entries of a band of queries, tile by tile, each while it is in the cache.

On a CPU every thread computes tiles of its own with a product of one thread and counts them at once: nothing waits for the
slowest thread of a product, and torch's OpenMP threads do not spin while distances are counted.

Shape shorthand: M marks, R rows and C columns of a tile.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from vreid_common.evaluation.bands import Band
from vreid_common.evaluation.counting import FinishArrays, OwnImages, TileArea, count_tile
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


def count_places(band: Band, marks: Marks, pairs: IdentityPairs, limit: int | None = None) -> np.ndarray:
    """How many entries of a band have their place (see ``counting``) at each mark.

    Images of the query's own identity are not counted.

    Args:
        marks: of the distance's type, with a segment for each row of the band.
        limit: if given, marks of the first segment that more entries than this are before need not be counted exactly: the
            sum up to and with them is only known to be larger.

    Returns:
        (M,) int64.

    Raises:
        NotANumber: a distance is NaN.
    """
    # The device's way of comparing is one for float32.
    on_host = band.empty.device.type == "cpu" or band.empty.dtype != torch.float32
    histogram, bad = _on_host(band, marks, pairs, limit) if on_host else _on_device(band, marks, pairs)
    if bad.any():
        raise NotANumber(band.start + int(bad.argmax()))
    return histogram


def _on_host(band: Band, marks: Marks, pairs: IdentityPairs, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The histogram (M,) and which of the band's rows have a NaN."""
    tiles = band.tiles()
    dtype = torch.from_numpy(marks.distances).dtype
    finish = _finish_arrays(band.distance.finish, dtype)
    total, bad = np.zeros(len(marks.distances), np.int64), np.zeros(len(band), bool)
    lock = threading.Lock()

    def work(numbers: Iterator[int]) -> None:
        buffer = torch.empty(math.prod(tiles[0].shape), dtype=dtype)
        histogram, ends = np.zeros_like(total), marks.offsets[1:].copy()
        for done, number in enumerate(numbers, start=1):
            tile = tiles[number]
            entries, stride = _flat(
                band.distance.tile(tile.rows, tile.columns, buffer[: math.prod(tile.shape)].view(tile.shape))
            )
            queries = slice(band.start + tile.rows.start, band.start + tile.rows.stop)
            own = OwnImages(pairs.images, pairs.first[queries], pairs.last[queries])
            area = TileArea(tile.columns.start, tile.columns.stop, tile.skip, marks.segments[tile.rows])
            area_finish = FinishArrays(finish.column, finish.row[tile.rows])
            count_tile(entries, stride, area, area_finish, own, marks, ends, histogram, bad[tile.rows])
            # Now and then is enough: the number of tiles doubles from one time to the next.
            if limit is not None and done & (done - 1) == 0:
                ends[0] = np.searchsorted(np.cumsum(histogram[: ends[0]]), limit, side="right")
        with lock:
            np.add(total, histogram, out=total)

    run_threads(work, len(tiles))
    return total, bad


def _finish_arrays(finish: Finish | None, dtype: torch.dtype) -> FinishArrays:
    nothing = torch.empty(0, dtype=dtype)
    column, row = (nothing, nothing) if finish is None else (finish.column, nothing if finish.row is None else finish.row)
    return FinishArrays(column.cpu().numpy(), row.cpu().numpy())


def _flat(tile: Tensor) -> tuple[np.ndarray, int]:
    """The tile as one array from the first to the last entry, and by how much a row begins after the one before.

    Compiled code is fast on contiguous memory only, and most tiles of a matrix are not copied like this.
    """
    tile = tile.cpu()
    if tile.stride(1) != 1:
        tile = tile.contiguous()
    stride = tile.stride(0)
    return tile.as_strided(((len(tile) - 1) * stride + tile.shape[1],), (1,)).numpy(), stride


def _on_device(band: Band, marks: Marks, pairs: IdentityPairs) -> tuple[np.ndarray, np.ndarray]:
    """The same by torch, on the device."""
    device = band.empty.device
    places = DevicePlaces(marks, device)
    for rows, tiles in groupby(sorted(band.tiles(), key=lambda tile: tile.rows.start), key=lambda tile: tile.rows):
        # The pairs of these rows by column, so that those of a tile follow one another.
        query, gallery = pairs.of(band.start + rows.start, band.start + rows.stop)
        order = np.argsort(gallery, kind="stable")
        gallery = gallery[order]
        own_rows = torch.from_numpy(query[order] - (band.start + rows.start)).to(device)
        own_columns = torch.from_numpy(gallery).to(device)
        for tile in tiles:
            first = tile.columns.start + tile.skip
            part = slice(*np.searchsorted(gallery, (first, tile.columns.stop)).tolist())
            own = own_rows[part], own_columns[part] - first
            values = band.distance.tile(tile.rows, tile.columns)
            if band.distance.finish is not None:
                values = band.distance.finish.apply_(values, tile.rows, tile.columns)
            places.add(values[:, tile.skip :], rows.start, first, own)
    return places.result()
