"""How many gallery images rank before given ones: all that the ranking metrics need, and far cheaper than sorting.

An entry of a distance tile is before a mark if its distance is smaller, or equal and its gallery index smaller. The first mark
of its row's segment that it is before is its *place*: it is before all the later ones too. Counting places is enough.

Shape shorthand: R rows and C columns of a tile, M marks, G gallery images.
"""

from __future__ import annotations

import numpy as np

from vreid_common.evaluation.marks import find_buckets
from vreid_common.jit import compiled

__all__ = ["count_tile", "leave_out"]

# Columns that stay in the first-level cache while all marks of the row are compared with them.
_CHUNK = 1024
# One near entry of so many is few: they are searched one by one, and found in stretches of so many.
_FEW = 32
_STRETCH = 64


@compiled()
def count_tile(entries, stride, area, finish, segments, marks, ends, bounds, histogram, bad):
    """Adds the places of a tile's entries to ``histogram``.

    The tuples are of no class of ours: compiled code that is kept names the classes of its arguments, and a later version that
    has others could not read it.

    Args:
        entries: the tile's values; row r begins at ``r * stride``.
        area: first and last but one gallery image of the tile, and how many of its first ones are not to be counted.
        finish: (G,) column and (R,) row of ``structures.Finish``, which make distances of the values. No row is an empty one;
            two empty ones are nothing to be done.
        segments: (R,) the rows' segments of the marks.
        marks: ``tuple(Marks)``, of the tile's type.
        ends, bounds: (S,) how far into each segment marks are counted for: one after the last such mark, and its distance
            (-inf if there is none).
        histogram: (M,) int64.
        bad: (R,) bool, set where a row has a NaN; what is counted for the row is then worthless.
    """
    first_image, last_image, skip = area
    column_finish, row_finish = finish
    distances, columns, offsets, guides, guide_offsets, lows, scales = marks
    scratch, buckets = np.empty(_CHUNK, entries.dtype), np.empty(_CHUNK, np.int32)
    for r in range(len(segments)):
        segment = segments[r]
        bound = bounds[segment]
        row = entries[r * stride : r * stride + last_image - first_image]
        for start in range(skip, len(row), _CHUNK):
            chunk, column = row[start : start + _CHUNK], first_image + start
            part = column_finish[column : column + len(chunk)] if len(column_finish) > 0 else column_finish
            shift = row_finish[r : r + 1]
            # Mostly none where the ranking is good, and then the row's marks are not even read.
            near = _count_not_above(chunk, part, shift, bound)
            if near == 0:
                continue
            chunk = _finish(chunk, part, shift, scratch)
            begin, end = offsets[segment], ends[segment]
            guide = guides[guide_offsets[segment] : guide_offsets[segment + 1]]
            if _count_nan(chunk) > 0:
                bad[r] = True
            elif begin < end and near * _FEW <= len(chunk):
                _search(chunk, column, distances, columns, begin, end, histogram)
            elif begin < end:
                rest = _compare(chunk, column, distances, columns, begin, end, len(guide) > 0, histogram)
                if begin < rest:
                    find_buckets(chunk, lows[segment], scales[segment], len(guide) - 1, buckets)
                    _look_up(chunk, column, distances, columns, rest, guide, buckets, histogram)


@compiled()
def leave_out(entries, stride, area, finish, rows, images, segments, marks, ends, histogram):
    """Takes the places of some of the entries that ``count_tile`` has counted from ``histogram`` again.

    Args:
        rows, images: (N,) row in the tile and gallery index of each entry.
    """
    first_image, _, _ = area
    column_finish, row_finish = finish
    distances, columns, offsets, _, _, _, _ = marks
    scratch = np.empty(1, entries.dtype)
    for r, image in zip(rows, images):  # noqa: B905 - numba's zip has no `strict`
        start = r * stride + image - first_image
        part = column_finish[image : image + 1] if len(column_finish) > 0 else column_finish
        entry = _finish(entries[start : start + 1], part, row_finish[r : r + 1], scratch)
        end = ends[segments[r]]
        place = _place(entry[0], image, distances, columns, offsets[segments[r]], end)
        if place < end:
            histogram[place] -= 1


@compiled()
def _finish(values, column, shift, out):
    """Distances of one row's values: in ``out``, or the values themselves if they are."""
    if len(column) == 0:
        return values
    out = out[: len(values)]
    if len(shift) == 0:
        for i in range(len(values)):
            out[i] = _scaled(values[i], column[i])
    else:
        row = shift[0]
        for i in range(len(values)):
            out[i] = _shifted(values[i], column[i], row)
    return out


@compiled()
def _count_not_above(values, column, shift, bound):
    """How many distances of one row's values are not larger than ``bound``; a NaN is not larger either."""
    count = np.int32(0)
    if len(column) == 0:
        for i in range(len(values)):
            count = np.int32(count + np.int32(not (values[i] > bound)))
    elif len(shift) == 0:
        for i in range(len(values)):
            count = np.int32(count + np.int32(not (_scaled(values[i], column[i]) > bound)))
    else:
        row = shift[0]
        for i in range(len(values)):
            count = np.int32(count + np.int32(not (_shifted(values[i], column[i], row) > bound)))
    return count


@compiled()
def _scaled(value, column):
    return np.float32(1) + column * value


@compiled()
def _shifted(value, column, row):
    distance = row + (column + value)
    return np.float32(0) if distance < np.float32(0) else distance  # a NaN stays one


@compiled()
def _search(chunk, column, distances, columns, begin, end, histogram):
    """Finds the few entries that are near enough, and searches the place of each."""
    bound = distances[end - 1]
    for start in range(0, len(chunk), _STRETCH):
        stretch = chunk[start : start + _STRETCH]
        if _count_at_most(stretch, bound) == 0:
            continue
        for i in range(len(stretch)):
            if stretch[i] <= bound:
                place = _place(stretch[i], column + start + i, distances, columns, begin, end)
                if place < end:
                    histogram[place] += 1


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


# Loops that count only vectorise with a 32-bit sum; a chunk never holds 2**31 values.
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
