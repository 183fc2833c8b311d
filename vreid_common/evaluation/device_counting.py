"""``counting.count_places`` on a CUDA or other device: torch only, and nothing comes back to the host before the end.

Shape shorthand: R rows and C columns of a tile, S segments of P marks at most, M marks, N pairs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vreid_common.evaluation.marks import Marks

__all__ = ["DevicePlaces"]

_NEVER = torch.iinfo(torch.int64).max


class DevicePlaces:
    """Histogram of the places of the entries of tiles among marks.

    Args:
        marks: with float32 distances.
        rows: (R,) int64, the segment of each row.
        device: where the tiles are.
    """

    def __init__(self, marks: Marks, rows: np.ndarray, device: torch.device) -> None:
        sizes = np.diff(marks.offsets)
        segments = np.repeat(np.arange(len(sizes)), sizes)
        slots = np.arange(len(segments)) - np.repeat(marks.offsets[:-1], sizes)
        self._segments, self._slots = (torch.from_numpy(index).to(device) for index in (segments, slots))
        self._of_row = torch.from_numpy(rows).to(device)
        distances, columns = (torch.from_numpy(array).to(device) for array in (marks.distances, marks.columns))
        # (S, P); nothing is before what fills up a segment but entries that are before no mark.
        self._keys = torch.full((len(sizes), int(sizes.max(initial=0))), _NEVER, device=device)
        self._keys[self._segments, self._slots] = _sort_keys(distances, columns)
        self._histogram = torch.zeros(len(sizes), self._keys.shape[1] + 1, dtype=torch.int64, device=device)
        self._bad = torch.zeros(len(rows), dtype=torch.bool, device=device)

    def add(self, tile: Tensor, row: int, column: int, own: tuple[Tensor, Tensor]) -> None:
        """Counts the entries of a float32 ``tile`` (R, C) at ``row`` of the rows and ``column`` of the gallery.

        Args:
            own: (N,) row and column in the tile of the entries of the queries' own identities, which are left out.
        """
        rows = slice(row, row + len(tile))
        self._bad[rows] |= torch.isnan(tile).any(dim=1)
        keys = _sort_keys(tile, torch.arange(column, column + tile.shape[1], device=tile.device))
        keys[own] = _NEVER
        one = torch.ones((), dtype=torch.int64, device=tile.device)
        if len(self._keys) == 1:
            places = torch.searchsorted(self._keys[0], keys.flatten(), right=True)
            self._histogram[0].scatter_add_(0, places, one.expand_as(places))
        else:
            segments = self._of_row[rows]
            places = torch.searchsorted(self._keys[segments], keys, right=True)
            counts = torch.zeros(len(tile), self._histogram.shape[1], dtype=torch.int64, device=tile.device)
            self._histogram.index_add_(0, segments, counts.scatter_add_(1, places, one.expand_as(places)))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """The histogram (M,) and which rows (R,) have a NaN."""
        return self._histogram[self._segments, self._slots].cpu().numpy(), self._bad.cpu().numpy()


def _sort_keys(distances: Tensor, columns: Tensor) -> Tensor:
    """int64 keys that sort like (distance, column): the float's bits, made monotone, above the 32 bits of the column."""
    bits = (distances + 0.0).view(torch.int32)  # + 0.0 turns -0.0 into 0.0
    return (torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() << 32) | columns
