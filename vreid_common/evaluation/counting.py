"""How many gallery images rank before given ones: all that the ranking metrics need, and far cheaper than sorting.

Shape shorthand: B query rows of a block, G gallery images, M marked entries over all rows of the block.

The marked entries of row b are ``offsets[b]:offsets[b + 1]`` of ``columns`` (their gallery index) and ``distances``,
sorted by (distance, gallery index). An entry is before another if its distance is smaller, or equal and its index smaller.
"""

from __future__ import annotations

from concurrent.futures import Executor
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from vreid_common.jit import compiled

__all__ = ["count_before", "count_before_on_device"]

# One marked entry costs a vectorised pass over its row (0.05 ns a gallery image); NumPy's vectorised sort of the row costs
# about 64 of those.
_SCAN_LIMIT = 64
# Gallery images that stay in the first-level cache while every marked entry of the row is compared with them.
_CHUNK = 4096


def count_before(
    block: np.ndarray, offsets: np.ndarray, columns: np.ndarray, distances: np.ndarray, pool: Executor, workers: int
) -> np.ndarray:
    """Counts on the CPU, the rows shared among ``workers`` threads of ``pool``.

    Args:
        block: (B, G) float32 or float64 distances.
        offsets, columns: (B + 1,) and (M,) int64.
        distances: (M,) of the block's dtype.

    Returns:
        (M,) int64 counts.

    Raises:
        FloatingPointError: a distance is NaN; ``args[0]`` is its row in the block.
    """
    counts = np.zeros(len(columns), np.int64)

    def count(bounds: tuple[int, int]) -> None:
        first, last = bounds
        bad_row = _scan(block, offsets, columns, distances, counts, first, last)
        if bad_row >= 0:
            raise FloatingPointError(int(bad_row))
        for row in first + np.flatnonzero(np.diff(offsets[first : last + 1]) > _SCAN_LIMIT):
            marked = slice(offsets[row], offsets[row + 1])
            counts[marked] = _count_by_sorting(block[row], columns[marked], distances[marked])

    edges = np.linspace(0, len(block), min(workers, len(block)) + 1).astype(int)
    # Plain threads: the kernels release the GIL, and an OpenMP pool of Numba's would spin against torch's between blocks.
    for _ in pool.map(count, pairwise(edges)):
        pass
    return counts


def _count_by_sorting(row: np.ndarray, columns: np.ndarray, distances: np.ndarray) -> np.ndarray:
    ordered = np.sort(row)
    counts = np.searchsorted(ordered, distances, side="left")
    ties = np.searchsorted(ordered, distances, side="right") - counts
    for value in set(distances[ties > 1].tolist()):
        same = distances == value
        counts[same] += np.searchsorted(np.flatnonzero(row == value), columns[same])
    return counts


@compiled()
def _scan(block, offsets, columns, distances, counts, first, last):
    """Fills ``counts`` for rows ``first`` to ``last`` with few marked entries; returns the first row with a NaN, or -1."""
    size = block.shape[1]
    for b in range(first, last):
        row = block[b]
        begin, end = offsets[b], offsets[b + 1]
        for start in range(0, size, _CHUNK):
            stop = min(size, start + _CHUNK)
            chunk = row[start:stop]
            if _count_nan(chunk) > 0:
                return b
            if end - begin > _SCAN_LIMIT:
                continue
            for m in range(begin, end):
                column, distance = columns[m], distances[m]
                if column >= stop:
                    counts[m] += _count_at_most(chunk, distance)
                elif column < start:
                    counts[m] += _count_less(chunk, distance)
                else:
                    counts[m] += _count_at_most(row[start:column], distance) + _count_less(row[column:stop], distance)
    return -1


# The three loops below only vectorise with a 32-bit sum; a chunk never holds 2**31 values.
@compiled()
def _count_less(values, bound):
    count = np.int32(0)
    for i in range(values.size):
        count = np.int32(count + np.int32(values[i] < bound))
    return count


@compiled()
def _count_at_most(values, bound):
    count = np.int32(0)
    for i in range(values.size):
        count = np.int32(count + np.int32(values[i] <= bound))
    return count


@compiled()
def _count_nan(values):
    count = np.int32(0)
    for i in range(values.size):
        count = np.int32(count + np.int32(values[i] != values[i]))
    return count


def count_before_on_device(block: Tensor, offsets: np.ndarray, columns: np.ndarray, distances: Tensor) -> np.ndarray:
    """The same as ``count_before`` by torch, on the device of the float32 ``block`` and ``distances``."""
    bad_rows = torch.isnan(block).any(dim=1)
    if bad_rows.any():
        raise FloatingPointError(int(bad_rows.nonzero()[0]))
    rows = torch.from_numpy(np.repeat(np.arange(len(block)), np.diff(offsets))).to(block.device)
    slots = torch.from_numpy(np.arange(len(columns)) - np.repeat(offsets[:-1], np.diff(offsets))).to(block.device)
    most = int(np.diff(offsets).max(initial=0))

    marked = torch.full((len(block), most), torch.iinfo(torch.int64).max, device=block.device)
    marked[rows, slots] = _sort_keys(distances, torch.from_numpy(columns).to(block.device))
    keys = _sort_keys(block, torch.arange(block.shape[1], device=block.device))
    # An entry is before all marked ones from its place in their order on.
    places = torch.searchsorted(marked, keys, right=True)
    histogram = torch.zeros((len(block), most + 1), dtype=torch.int64, device=block.device)
    histogram.scatter_add_(1, places, torch.ones((), dtype=torch.int64, device=block.device).expand_as(places))
    return histogram.cumsum(dim=1)[rows, slots].cpu().numpy()


def _sort_keys(distances: Tensor, columns: Tensor) -> Tensor:
    """int64 keys that sort like (distance, column): the float's bits, made monotone, above the 32 bits of the column."""
    bits = (distances + 0.0).view(torch.int32)  # + 0.0 turns -0.0 into 0.0
    return (torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() << 32) | columns
