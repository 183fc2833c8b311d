"""Distances of which it is wanted how many others lie before them.

Shape shorthand: M marks, S segments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vreid_common.jit import compiled

__all__ = ["COMPARED", "Marks", "find_buckets", "make_marks"]

COMPARED = 32
"""Up to so many marks a distance is compared with each of them, which the processor does for many distances at once."""
# So many that most buckets between marks have none: there a distance's place needs no comparison.
_BUCKETS_A_MARK = 8


class Marks(NamedTuple):
    """Marks in segments, each sorted by (distance, column). A query row's distances are ranked among the marks of one segment.

    Segments of more than ``COMPARED`` marks have a guide: the range of their finite distances cut into equal buckets, and a
    table of the mark that each begins with (Chen, Asau: On Generating Random Variates from an Empirical Distribution, 1974).

    Attributes:
        distances: (M,) float32 or float64.
        columns: (M,) int64 gallery indices; a distance equal to a mark's is before it if its column is smaller.
        offsets: (S + 1,) int64: segment s is ``offsets[s]:offsets[s + 1]``.
        guides: int32, the tables of all guides, one after another.
        guide_offsets: (S + 1,) int64: the table of segment s is ``guides[guide_offsets[s]:guide_offsets[s + 1]]``.
        lows, scales: (S,) of the distances' type: bucket = (distance - low) * scale.
    """

    distances: np.ndarray
    columns: np.ndarray
    offsets: np.ndarray
    guides: np.ndarray
    guide_offsets: np.ndarray
    lows: np.ndarray
    scales: np.ndarray


def make_marks(distances: np.ndarray, columns: np.ndarray, offsets: np.ndarray) -> Marks:
    """Marks with their guides; see ``Marks`` for the arguments."""
    sizes = np.diff(offsets)
    # One more than there are buckets, for the end of the last one.
    guide_offsets = np.concatenate([[0], np.cumsum(np.where(sizes > COMPARED, _BUCKETS_A_MARK * sizes + 1, 0))])
    guides = np.empty(guide_offsets[-1], np.int32)
    lows, scales = np.zeros(len(sizes), distances.dtype), np.zeros(len(sizes), distances.dtype)
    _fill_guides(distances, offsets, guides, guide_offsets, lows, scales)
    return Marks(distances, columns, offsets, guides, guide_offsets, lows, scales)


@compiled()
def find_buckets(distances, low, scale, size, out):
    """The bucket, 0 to ``size`` - 1, of each distance, in ``out`` (int32); a larger distance's is never smaller."""
    # In the distances' own type, as the processor then does many at once.
    first, last = scale - scale, scale - scale + np.float32(size - 1)
    for i in range(len(distances)):
        place = (distances[i] - low) * scale
        place = place if place > first else first  # also where infinity meets a scale of 0
        out[i] = np.int32(place if place < last else last)


@compiled()
def _fill_guides(distances, offsets, guides, guide_offsets, lows, scales):
    for s in range(len(offsets) - 1):
        size = guide_offsets[s + 1] - guide_offsets[s] - 1
        if size <= 0:
            continue
        begin, end = offsets[s], offsets[s + 1]
        first, last = begin, end - 1
        while first < last and not np.isfinite(distances[first]):
            first += 1
        while last > first and not np.isfinite(distances[last]):
            last -= 1
        spread = distances[last] - distances[first]
        # No finite distance, only one, or two too far apart: a scale of 0 has everything in one bucket.
        if np.isfinite(spread) and spread > 0 and np.isfinite((size - 1) / spread):
            lows[s] = distances[first]
            scales[s] = (size - 1) / spread
        buckets = np.empty(end - begin, np.int32)
        find_buckets(distances[begin:end], lows[s], scales[s], size, buckets)
        table = guides[guide_offsets[s] : guide_offsets[s + 1]]
        filled = 0
        for m in range(end - begin):
            while filled <= buckets[m]:
                table[filled] = begin + m
                filled += 1
        table[filled:] = end
