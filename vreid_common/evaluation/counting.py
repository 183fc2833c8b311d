"""How many gallery images rank before given ones: all that the ranking metrics need, and far cheaper than sorting.

An entry of a distance tile is before a mark if its distance is smaller, or equal and its gallery index smaller. The first mark
of its row's segment that it is before is its *place*: it is before all the later ones too. Counting places is enough.

Shape shorthand: R rows and C columns of a tile, M marks, G gallery images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vreid_common.evaluation.marks import find_buckets
from vreid_common.jit import compiled

__all__ = ["FinishArrays", "OwnImages", "TileArea", "count_tile"]

# Columns that stay in the first-level cache while all marks of the row are compared with them.
_CHUNK = 1024


class TileArea(NamedTuple):
    """What a tile covers: gallery images ``start`` to ``stop``, the first ``skip`` of which are not to be counted, and (R,) the
    rows' segments of the marks."""

    start: int
    stop: int
    skip: int
    segments: np.ndarray


class FinishArrays(NamedTuple):
    """``structures.Finish``: (G,) and (R,) of the tile's type; no row is an empty one, nothing to be done is two."""

    column: np.ndarray
    row: np.ndarray


class OwnImages(NamedTuple):
    """The images of the rows' own identities: ``images[first[r]:last[r]]``, as in ``IdentityPairs``."""

    images: np.ndarray
    first: np.ndarray
    last: np.ndarray


@compiled()
def count_tile(entries, stride, area, finish, own, marks, ends, histogram, bad):
    """Adds the places of a tile's entries to ``histogram``, but for the entries of the query's own identity.

    Args:
        entries: the tile's values; row r begins at ``r * stride``.
        area: ``TileArea``.
        finish: ``FinishArrays`` that make distances of the values.
        own: ``OwnImages``.
        marks: ``Marks`` with distances of the tile's type.
        ends: (S,) int64: only marks before this one of a segment are counted for.
        histogram: (M,) int64.
        bad: (R,) bool, set where a row has a NaN; what is counted for the row is then worthless.
    """
    distances, columns = marks.distances, marks.columns
    scratch, buckets = np.empty(_CHUNK, entries.dtype), np.empty(_CHUNK, np.int32)
    for r in range(len(area.segments)):
        segment = area.segments[r]
        begin, end = marks.offsets[segment], ends[segment]
        guide = marks.guides[marks.guide_offsets[segment] : marks.guide_offsets[segment + 1]]
        row = entries[r * stride : r * stride + area.stop - area.start]
        shift = finish.row[r : r + 1]
        for start in range(area.skip, len(row), _CHUNK):
            chunk, column = row[start : start + _CHUNK], area.start + start
            if len(finish.column) > 0:
                chunk = _finish(chunk, finish.column[column : column + len(chunk)], shift, scratch)
            if begin < end and _count_not_above(chunk, distances[end - 1]) == 0:
                continue
            if _count_nan(chunk) > 0:
                bad[r] = True
            elif begin < end:
                rest = _compare(chunk, column, distances, columns, begin, end, len(guide) > 0, histogram)
                if begin < rest:
                    find_buckets(chunk, marks.lows[segment], marks.scales[segment], len(guide) - 1, buckets)
                    _look_up(chunk, column, distances, columns, rest, guide, buckets, histogram)

        images = own.images[own.first[r] : own.last[r]]
        for i in range(np.searchsorted(images, area.start + area.skip), np.searchsorted(images, area.stop)):
            value = row[images[i] - area.start : images[i] - area.start + 1]
            if len(finish.column) > 0:
                value = _finish(value, finish.column[images[i] : images[i] + 1], shift, scratch)
            place = _place(value[0], images[i], distances, columns, begin, end)
            if place < end:
                histogram[place] -= 1


@compiled()
def _finish(values, column, shift, out):
    """Distances of one row's values, in ``out``."""
    out = out[: len(values)]
    if len(shift) == 0:
        one = np.float32(1)
        for i in range(len(values)):
            out[i] = one + column[i] * values[i]
    else:
        zero = np.float32(0)
        for i in range(len(values)):
            distance = shift[0] + (column[i] + values[i])
            out[i] = zero if distance < zero else distance  # a NaN stays one
    return out


@compiled()
def _compare(chunk, column, distances, columns, begin, end, may_stop, histogram):
    """Compares the entries with each mark, from the last one on, until none is before it.

    That is soon where the ranking is good: most images of an identity are nearer than all others, and the rest lie far apart.
    Where marks lie close together, so that one more leaves out few entries, it stops earlier if it ``may_stop``.

    Returns:
        The first mark that is done.
    """
    count = _count_before(chunk, column, distances[end - 1], columns[end - 1])
    for m in range(end - 1, begin, -1):
        if count == 0:
            return begin
        fewer = _count_before(chunk, column, distances[m - 1], columns[m - 1])
        histogram[m] += count - fewer
        if may_stop and 8 * fewer > 7 * count:
            return m
        count = fewer
    histogram[begin] += count
    return begin


@compiled()
def _look_up(chunk, column, distances, columns, end, guide, buckets, histogram):
    """Looks each entry up among the marks of its bucket."""
    farthest = distances[end - 1]
    for i in range(len(chunk)):
        if chunk[i] > farthest:
            continue
        place, stop = guide[buckets[i]], guide[buckets[i] + 1]
        if place < stop:
            place = _place(chunk[i], column + i, distances, columns, place, stop)
        if place < end:
            histogram[place] += 1


@compiled()
def _place(entry, column, distances, columns, low, high):
    """The first mark from ``low`` on that the entry is before, ``high`` if there is none."""
    while low < high:
        middle = (low + high) // 2
        mark = distances[middle]
        if mark > entry or (mark == entry and columns[middle] > column):
            high = middle
        else:
            low = middle + 1
    return low


@compiled()
def _count_before(chunk, column, mark, mark_column):
    """How many entries, of columns from ``column`` on, are before a mark."""
    split = min(max(mark_column - column, 0), len(chunk))
    return _count_at_most(chunk[:split], mark) + _count_less(chunk[split:], mark)


# The four loops below only vectorise with a 32-bit sum; a chunk never holds 2**31 values.
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


@compiled()
def _count_not_above(values, bound):
    """NaN is not above either."""
    count = np.int32(0)
    for i in range(values.size):
        count = np.int32(count + np.int32(not (values[i] > bound)))
    return count
