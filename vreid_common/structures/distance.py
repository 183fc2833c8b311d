"""The distance of every query to every gallery image, read in parts so that no Q×G array has to exist.

Shape shorthand: Q queries, G gallery images, B rows of a block, R queries read in tiles, M (query, image) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

__all__ = ["DenseRows", "DistanceRows", "DistanceTiles", "Finish", "TiledRows", "as_distance_rows", "row_blocks"]


@runtime_checkable
class DistanceRows(Protocol):
    """What metrics, rank lists and submissions read: smaller is nearer."""

    @property
    def shape(self) -> tuple[int, int]:
        """(Q, G)."""
        ...

    def rows(self, start: int, stop: int) -> Tensor:
        """Distances (stop - start, G) of queries ``start`` to ``stop``, float32 or float64. The caller must not change them."""
        ...


class Finish(NamedTuple):
    """What makes distances of the values of a tile, to be done where they are needed next: a pass over memory less.

    A distance is ``1 + column[c] * value``, or ``max(0, row[r] + (column[c] + value))`` if there is a ``row``, every operation
    rounded.

    Attributes:
        column: (G,).
        row: (R,) or None.
    """

    column: Tensor
    row: Tensor | None

    def apply_(self, values: Tensor, rows: slice, columns: slice | Tensor) -> Tensor:
        """Makes distances of a tile's values in place."""
        if self.row is None:
            return values.mul_(self.column[columns]).add_(1)
        return values.add_(self.column[columns]).add_(self.row[rows, None]).clamp_min_(0)


class DistanceTiles(Protocol):
    """The rows of some queries, read in tiles small enough for the processor's cache, by several threads at once."""

    @property
    def shape(self) -> tuple[int, int]:
        """(R, G)."""
        ...

    @property
    def tile_shape(self) -> tuple[int, int]:
        """The rows and columns of a tile that is read at full speed."""
        ...

    @property
    def finish(self) -> Finish | None:
        """What makes distances of the values of tiles; None if they are distances."""
        ...

    def tile(self, rows: slice, columns: slice, out: Tensor | None = None) -> Tensor:
        """Values for the queries ``rows`` and the gallery images ``columns``, both ``slice(start, stop)`` within the shape.

        Args:
            out: of the result's shape and type; the result may be written there and lie there.
        """
        ...

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Distances (M,) of the queries ``rows``, rising, to the gallery images ``columns``, both (M,) int64 on the CPU.

        They are the distances that tiles have for the same pairs as long as all tiles are of the shape of ``tile_shape``, or of
        all rows or columns where there are fewer. So a pair's distance can be looked for among those of a tile.
        """
        ...


@runtime_checkable
class TiledRows(DistanceRows, Protocol):
    """A distance that can be read in tiles too."""

    def tiles(self, start: int, stop: int) -> DistanceTiles:
        """The rows of queries ``start`` to ``stop``, with what reading them many times needs prepared."""
        ...


class DenseRows:
    """A distance matrix that exists already.

    Args:
        matrix: (Q, G) distances of any real dtype. Half precision is read as float32 and integers as float64, which keep
            every value; float64 stays float64, because rounding could tie distances that differ.

    Raises:
        ValueError: the matrix is not two-dimensional or not real.
    """

    def __init__(self, matrix: Tensor | np.ndarray) -> None:
        if matrix.ndim != 2:
            raise ValueError(f"A distance matrix has two dimensions (Q, G), got shape {tuple(matrix.shape)}.")
        if np.iscomplexobj(matrix) if isinstance(matrix, np.ndarray) else matrix.is_complex():
            raise ValueError("A distance matrix holds real numbers, got complex ones.")
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape[0], self.matrix.shape[1]

    def rows(self, start: int, stop: int) -> Tensor:
        return _read(self.matrix[start:stop])

    def tiles(self, start: int, stop: int) -> DistanceTiles:
        return _DenseTiles(self.matrix[start:stop])


class _DenseTiles:
    """``DistanceTiles`` of a matrix that exists already."""

    tile_shape = (64, 16384)
    finish = None

    def __init__(self, matrix: Tensor | np.ndarray) -> None:
        self._matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self._matrix.shape[0], self._matrix.shape[1]

    def tile(self, rows: slice, columns: slice, out: Tensor | None = None) -> Tensor:
        return _read(self._matrix[rows, columns])

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        if isinstance(self._matrix, np.ndarray):
            return _read(self._matrix[rows.numpy(), columns.numpy()])
        return _read(self._matrix[rows.to(self._matrix.device), columns.to(self._matrix.device)])


def _read(block: Tensor | np.ndarray) -> Tensor:
    if isinstance(block, np.ndarray):
        # torch takes neither negative strides nor read-only memory (np.load(mmap_mode="r")): those blocks are copied.
        readable = block.flags.writeable and all(stride >= 0 for stride in block.strides)
        block = torch.from_numpy(block if readable else block.copy())
    block = block.detach()
    if block.dtype in (torch.float32, torch.float64):
        return block
    return block.to(torch.float32 if block.is_floating_point() else torch.float64)


def as_distance_rows(distance: DistanceRows | Tensor | np.ndarray) -> DistanceRows:
    """``distance`` itself, or a matrix (Q, G) wrapped into ``DenseRows``.

    Raises:
        TypeError: ``distance`` is none of the three.
    """
    if isinstance(distance, np.ndarray | Tensor):
        return DenseRows(distance)
    if isinstance(distance, DistanceRows):
        return distance
    raise TypeError(f"A distance is a (Q, G) array, Tensor or DistanceRows, got {type(distance).__name__}.")


def row_blocks(distance: DistanceRows, rows: int) -> Iterator[tuple[int, Tensor]]:
    """Yields ``(start, block (B, G))`` with at most ``rows`` rows each, in query order."""
    for start in range(0, distance.shape[0], rows):
        yield start, distance.rows(start, min(start + rows, distance.shape[0]))
