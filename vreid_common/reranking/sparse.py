"""Sparse matrices times dense ones, as sums over the rows of the dense one.

``torch.nn.functional.embedding_bag`` is the fastest such product that torch has on a CPU, adds up in a fixed order on CUDA too
(cuSPARSE need not), and gathers no (N, k, D) array.

Shape shorthand: N rows, M columns, E entries, B columns of the dense matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["SparseRows", "weighted_sums"]


def weighted_sums(table: Tensor, indices: Tensor, weights: Tensor, offsets: Tensor | None = None) -> Tensor:
    """Row i of the result is the sum over j of ``weights[i, j] * table[indices[i, j]]``.

    Args:
        table: (M, B) float32.
        indices: (N, k) integer rows of ``table``; or (E,) with ``offsets`` where the sums have unequal numbers of terms.
        weights: float32 of the shape of ``indices``.
        offsets: (N,) of the type of ``indices``, where the terms of each sum begin.

    Returns:
        (N, B) float32.
    """
    if indices.numel() == 0:
        return table.new_zeros(len(indices if offsets is None else offsets), table.shape[1])
    return F.embedding_bag(indices, table, offsets, mode="sum", per_sample_weights=weights)


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A sparse matrix (N, M) in compressed rows.

    Attributes:
        offsets: (N + 1,) where the entries of each row begin and those of the last end; int32 unless E needs int64.
        columns: (E,) of the same type.
        values: (E,) float32.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor

    @classmethod
    def create(cls, counts: Tensor, columns: Tensor, values: Tensor) -> SparseRows:
        """From how many entries each row has (N,), and all rows' entries one after another."""
        index = torch.int32 if len(values) < 2**31 else torch.int64
        return cls(F.pad(counts.cumsum(0), (1, 0)).to(index), columns.to(index), values)

    @classmethod
    def from_coo(cls, matrix: Tensor) -> SparseRows:
        """Compresses a torch COO matrix."""
        matrix = matrix.coalesce()
        rows, columns = matrix.indices()
        return cls.create(torch.bincount(rows, minlength=matrix.shape[0]), columns, matrix.values())

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __matmul__(self, dense: Tensor) -> Tensor:
        """The product (N, B) with a dense (M, B)."""
        return weighted_sums(dense, self.columns, self.values, self.offsets[:-1])

    def slice(self, start: int, stop: int) -> SparseRows:
        """Rows ``start`` to ``stop``."""
        first, last = self.offsets[[start, stop]].tolist()
        return SparseRows(self.offsets[start : stop + 1] - first, self.columns[first:last], self.values[first:last])

    def transposed(self, size: int) -> Tensor:
        """The transpose as a dense matrix (M = ``size``, N)."""
        rows = torch.arange(len(self), device=self.columns.device).repeat_interleave(self.offsets.diff())
        dense = self.values.new_zeros(size, len(self))
        dense[self.columns, rows] = self.values
        return dense
