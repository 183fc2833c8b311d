"""The distance of every query to every gallery image, read in blocks of query rows so that no Q×G array has to exist.

Shape shorthand: Q queries, G gallery images, B rows of a block, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["METRICS", "DenseRows", "DistanceRows", "FeatureRows", "as_distance_rows", "row_blocks"]

METRICS = ("cosine", "euclidean", "dot")


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
        block = self.matrix[start:stop]
        if isinstance(block, np.ndarray):
            # torch takes neither negative strides nor read-only memory (np.load(mmap_mode="r")): those blocks are copied.
            block = torch.from_numpy(np.require(block, requirements=["C", "W"]))
        block = block.detach()
        if block.dtype in (torch.float32, torch.float64):
            return block
        return block.to(torch.float32 if block.is_floating_point() else torch.float64)


class FeatureRows:
    """Distances between two sets of features, computed a block at a time on the features' device.

    The units are FastReID's (``fastreid.utils.compute_dist``): "cosine" is 1 - cos(q, g), "euclidean" the *squared* Euclidean
    distance, and "dot" the negative inner product. Nothing of the gallery's size is copied: cosine scales the product.

    Args:
        query: (Q, D) floating point features.
        gallery: (G, D) floating point features on the same device.
        metric: one of ``METRICS``.

    Raises:
        ValueError: the shapes, devices or dtypes do not fit, or the metric is not known.
    """

    def __init__(self, query: Tensor, gallery: Tensor, metric: str = "cosine") -> None:
        if metric not in METRICS:
            raise ValueError(f"The metric is one of {', '.join(METRICS)}, got {metric!r}.")
        for name, features in (("query", query), ("gallery", gallery)):
            if features.ndim != 2 or not features.is_floating_point():
                raise ValueError(f"The {name} features are (N, D) floats, got {features.dtype} {tuple(features.shape)}.")
        if query.shape[1] != gallery.shape[1]:
            raise ValueError(f"The query features have {query.shape[1]} dimensions, the gallery's {gallery.shape[1]}.")
        if query.device != gallery.device:
            raise ValueError(f"The query features are on {query.device}, the gallery's on {gallery.device}.")
        self.metric = metric
        self._query = query.detach().float()
        self._gallery = gallery.detach().float()
        # What a gallery image adds to (euclidean) or scales (cosine) its column by.
        self._column = None
        if metric == "cosine":
            norm = torch.linalg.vector_norm(self._gallery, dim=1)
            self._column = -norm.clamp_min(1e-12).reciprocal()
        elif metric == "euclidean":
            self._column = torch.linalg.vector_norm(self._gallery, dim=1).square()

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._query), len(self._gallery)

    @torch.no_grad()
    def rows(self, start: int, stop: int) -> Tensor:
        query, columns = self._query[start:stop], self._gallery.T
        with _full_precision(query.device):
            if self.metric == "dot":
                return -query @ columns
            if self.metric == "cosine":
                block = F.normalize(query) @ columns
                return torch.addcmul(block.new_ones(()), block, self._column, out=block)
            block = torch.addmm(self._column, query, columns, alpha=-2)
            return block.add_(query.square().sum(dim=1, keepdim=True)).clamp_min_(0)


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


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """float32 products, whatever a training run chose: TF32 or autocast would change ranks of close gallery images."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
