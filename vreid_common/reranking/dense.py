"""A whole distance matrix from rows.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

from torch import Tensor

from vreid_common.structures import DistanceRows, row_blocks

__all__ = ["dense_distance"]

_BLOCK_BYTES = 16 << 20


def dense_distance(distance: DistanceRows) -> Tensor:
    """All rows (Q, G) of ``distance``, computed in blocks so that little exists beside the result."""
    size, width = distance.shape
    result = distance.rows(0, 0).new_empty(size, width)
    for start, block in row_blocks(distance, max(1, _BLOCK_BYTES // (4 * width + 1))):
        result[start : start + len(block)] = block
    return result
