"""How many gallery images rank before given ones: all that the ranking metrics need, and far cheaper than sorting.

An entry of a distance tile is before a mark if its distance is smaller, or equal and its gallery index smaller. The first mark
of its row's segment that it is before is its *place*: it is before all the later ones too. Counting places is enough.

Shape shorthand: R rows and C columns of a tile, M marks, G gallery images.
"""

from __future__ import annotations

import numpy as np

from vreid_common.evaluation.marks import find_buckets
from vreid_common.jit import compiled

__all__ = ["TAIL", "count_tile", "fill_tails", "leave_out"]

TAIL = 4
"""So many of a segment's last marks are counted for in the first pass over a row."""
# Columns that stay in the first-level cache while the marks of a row are compared with them.
_CHUNK = 1024


@compiled()
def count_tile(entries, stride, area, finish, segments, marks, ends, tails, histogram, bad):
    """Adds the places of a tile's entries to ``histogram``.

    With a good ranking nearly all images of other identities are farther than the query's own, but for the worst few of these.
    So each row is first compared with its last marks only, many entries at once. Only if some are before all of these, the row
    is counted for all marks.

    The tuples are of no class of ours: compiled code that is kept names the classes of its arguments, and a later version that
    has others could not read it.

    Args:
        entries: the tile's values; row r begins at ``r * stride``.
        area: first and last but one gallery image of the tile, and how many of its first ones are not to be counted.
        finish: (G,) column and (R,) row of ``structures.Finish``, which make distances of the values. No row is an empty one;
            two empty ones are nothing to be done.
        segments: (R,) the rows' segments of the marks.
        marks: ``tuple(Marks)``, of the tile's type.
        ends: (S,) how far into each segment marks are counted for: one after the last such mark.
        tails: three arrays (S, TAIL), as filled by ``fill_tails``.
        histogram: (M,) int64.
        bad: (R,) bool, set where a row has a NaN; what is counted for the row is then worthless.
    """
    first_image, last_image, skip = area
    column_finish, row_finish = finish
    kind = _kind(column_finish, row_finish)
    scratch = np.empty(_CHUNK, entries.dtype), np.empty(_CHUNK, np.int32)
    for start in range(skip, last_image - first_image, _CHUNK):
        size, image = min(_CHUNK, last_image - first_image - start), first_image + start
        part = column_finish[image : image + size] if kind > 0 else column_finish
        for r in range(len(segments)):
            segment = segments[r]
            shift = row_finish[r] if kind == 2 else np.float32(0)
            values = entries[r * stride + start : r * stride + start + size]
            farthest, third, second, inner = _tail_bounds(tails, segment, image, size)
            counts0, counts1, counts2, counts3 = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
            # Only vectorised with 32-bit sums. A NaN is not larger than anything, so it is counted, in the last one too.
            for i in range(len(values)):
                distance = _distance(values[i], part, i, shift, kind)
                counts0 = np.int32(counts0 + np.int32(not (distance > farthest)))
                counts1 = np.int32(counts1 + np.int32(not (distance > third)))
                counts2 = np.int32(counts2 + np.int32(not (distance > second)))
                counts3 = np.int32(counts3 + np.int32(not (distance > inner)))
            if counts3 > 0:
                bad[r] |= _count_row(values, image, part, shift, kind, segment, marks, ends, scratch, histogram)
            elif counts0 > 0:
                histogram[ends[segment] - 1] += counts0 - counts1
                if counts1 > 0:
                    histogram[ends[segment] - 2] += counts1 - counts2
                    histogram[ends[segment] - 3] += counts2


@compiled()
def fill_tails(marks, ends, distances, before, columns):
    """The last marks of each segment before its end, the last one first, as ``count_tile`` compares entries with them.

    Args:
        distances: (S, TAIL) to be filled with the marks' distances, which entries of smaller columns may be equal to.
        before: (S, TAIL) likewise, with the next smaller numbers, for entries of larger columns.
        columns: (S, TAIL) int64 likewise, with the marks' columns.
    """
    of_marks, columns_of_marks, offsets, _, _, _, _ = marks
    # Nothing is before a mark that there is not.
    distances[:], before[:], columns[:] = -np.inf, -np.inf, -1
    for s in range(len(ends)):
        for k in range(min(TAIL, ends[s] - offsets[s])):
            mark = of_marks[ends[s] - 1 - k]
            distances[s, k], columns[s, k] = mark, columns_of_marks[ends[s] - 1 - k]
            before[s, k] = np.nextafter(mark, np.float32(-np.inf))
            if mark == -np.inf:
                # No number is before it. Everything counts as before the last one: the row is counted for all marks then.
                distances[s, TAIL - 1], before[s, TAIL - 1] = np.inf, np.inf
                break


@compiled()
def _tail_bounds(tails, segment, image, size):
    """What entries of the ``size`` columns from ``image`` on are not larger than if they are before a segment's last marks."""
    distances, before, columns = tails
    bounds = (
        _bound(distances[segment, 0], before[segment, 0], columns[segment, 0], image, size),
        _bound(distances[segment, 1], before[segment, 1], columns[segment, 1], image, size),
        _bound(distances[segment, 2], before[segment, 2], columns[segment, 2], image, size),
        _bound(distances[segment, 3], before[segment, 3], columns[segment, 3], image, size),
    )
    if max(bounds) == np.inf:
        return bounds[0], bounds[1], bounds[2], max(bounds)
    return bounds


@compiled()
def _bound(distance, before, column, image, size):
    if column < image:
        return before
    # No one number tells for the mark's own part of the row: there everything counts, and so the row is counted for all marks.
    return distance if column >= image + size else np.float32(np.inf)


@compiled()
def leave_out(entries, stride, area, finish, rows, images, segments, marks, ends, histogram):
    """Takes the places of some of the entries that ``count_tile`` has counted from ``histogram`` again.

    Args:
        rows, images: (N,) row in the tile and gallery index of each entry.
    """
    first_image, _, _ = area
    column_finish, row_finish = finish
    kind = _kind(column_finish, row_finish)
    distances, columns, offsets, _, _, _, _ = marks
    for r, image in zip(rows, images):  # noqa: B905 - numba's zip has no `strict`
        shift = row_finish[r] if kind == 2 else np.float32(0)
        entry = _distance(entries[r * stride + image - first_image], column_finish, image, shift, kind)
        end = ends[segments[r]]
        place = _place(entry, image, distances, columns, offsets[segments[r]], end)
        if place < end:
            histogram[place] -= 1


@compiled()
def _kind(column_finish, row_finish):
    if len(column_finish) == 0:
        return 0
    return 1 if len(row_finish) == 0 else 2


@compiled()
def _distance(value, column, i, shift, kind):
    """See ``structures.Finish``. The compiler takes the choice out of loops."""
    if kind == 0:
        return value
    if kind == 1:
        return np.float32(1) + column[i] * value
    distance = shift + (column[i] + value)
    return np.float32(0) if distance < np.float32(0) else distance  # a NaN stays one


@compiled()
def _count_row(values, image, part, shift, kind, segment, marks, ends, scratch, histogram):
    """Counts a row's part for all marks; whether it has a NaN."""
    distances, columns, offsets, guides, guide_offsets, lows, scales = marks
    chunk, buckets = scratch[0][: len(values)], scratch[1]
    for i in range(len(values)):
        chunk[i] = _distance(values[i], part, i, shift, kind)
    if _count_nan(chunk) > 0:
        return True
    begin, end = offsets[segment], ends[segment]
    if begin < end:
        guide = guides[guide_offsets[segment] : guide_offsets[segment + 1]]
        rest = _compare(chunk, image, distances, columns, begin, end, len(guide) > 0, histogram)
        if begin < rest:
            find_buckets(chunk, lows[segment], scales[segment], len(guide) - 1, buckets)
            _look_up(chunk, image, distances, columns, rest, guide, buckets, histogram)
    return False


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
