"""Distances between two sets of features, computed where and when they are read.

Shape shorthand: Q queries, G gallery images, R rows and C columns of a tile, M (query, image) pairs, D feature dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.structures.distance import Finish
from vreid_common.structures.precision import full_precision

__all__ = ["METRICS", "FeatureRows"]

METRICS = ("cosine", "euclidean", "dot")
# On a CPU a tile of products (6 MB) stays in the third-level cache until it is used; a device has to be kept busy.
_HOST_TILE = (2048, 768)
_DEVICE_TILE = (2048, 4096)
# The distances of given pairs come from products with few rows, as each row needs other images; with much fewer still MKL takes
# another routine, which sums in another order. What cuBLAS does is not known, so a device takes all rows.
_PAIR_ROWS = 64
# For few rows, and for the columns that its widest kernels leave over, BLAS takes other routines, which sum in another order.
# With at least so many rows and a multiple of so many columns, MKL rounds a pair alike wherever it stands, on Intel and AMD.
_EVEN_ROWS, _EVEN_COLUMNS = 4, 16
# Features of another type become float32 so many images at a time.
_CONVERTED = 16384


class FeatureRows:
    """Distances between two sets of features, computed in float32 a part at a time on the features' device.

    The units are FastReID's (``fastreid.utils.compute_dist``): "cosine" is 1 - cos(q, g), "euclidean" the *squared* Euclidean
    distance, and "dot" the negative inner product. Nothing of the gallery's size is copied: cosine scales the product.

    It can be read in tiles (``TiledRows``).

    Args:
        query: (Q, D) floating point features.
        gallery: (G, D) floating point features on the same device.
        metric: one of ``METRICS``.

    Raises:
        TypeError: features are no Tensor.
        ValueError: the shapes, devices or dtypes do not fit, or the metric is not known.
    """

    def __init__(self, query: Tensor, gallery: Tensor, metric: str = "cosine") -> None:
        if metric not in METRICS:
            raise ValueError(f"The metric is one of {', '.join(METRICS)}, got {metric!r}.")
        for name, features in (("query", query), ("gallery", gallery)):
            if not isinstance(features, Tensor):
                raise TypeError(f"The {name} features are a Tensor, got {type(features).__name__}: use torch.from_numpy.")
            if features.ndim != 2 or not features.is_floating_point():
                raise ValueError(f"The {name} features are (N, D) floats, got {features.dtype} {tuple(features.shape)}.")
        if query.shape[1] != gallery.shape[1]:
            raise ValueError(f"The query features have {query.shape[1]} dimensions, the gallery's {gallery.shape[1]}.")
        if query.device != gallery.device:
            raise ValueError(f"The query features are on {query.device}, the gallery's on {gallery.device}.")
        self.metric = metric
        self._query = query.detach()
        self._gallery = gallery.detach()
        # What a gallery image scales (cosine) its column by or adds (euclidean) to it.
        self._column = torch.empty(0)
        if metric == "cosine":
            self._column = _norms(self._gallery).clamp_min_(1e-12).reciprocal_()
        elif metric == "euclidean":
            self._column = _norms(self._gallery).square_()

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._query), len(self._gallery)

    def rows(self, start: int, stop: int) -> Tensor:
        tiles = self.tiles(start, stop)
        num_rows, num_gallery = tiles.shape
        if self._gallery.dtype == torch.float32:
            return tiles.distances(slice(0, num_rows), slice(0, num_gallery))
        block = torch.empty(num_rows, num_gallery, device=self._gallery.device)
        for first in range(0, num_gallery, _CONVERTED):
            part = slice(first, min(first + _CONVERTED, num_gallery))
            block[:, part] = tiles.distances(slice(0, num_rows), part)
        return block

    @torch.no_grad()
    def tiles(self, start: int, stop: int) -> _FeatureTiles:
        """Takes memory for the features of these queries.

        Images of equal features are equally far, as long as the BLAS rounds products of even shapes alike (MKL does); otherwise
        such images rank by its rounding.
        """
        query = self._query[start:stop].float()
        if self.metric == "dot":
            return _FeatureTiles(-query, self._gallery, None)
        norms = _norms(query)
        if self.metric == "euclidean":
            return _FeatureTiles(-2 * query, self._gallery, Finish(self._column, norms.square_()))
        query = query * -norms.clamp_min_(1e-12).reciprocal_()[:, None]
        return _FeatureTiles(query, self._gallery, Finish(self._column, None))


class _FeatureTiles:
    """``DistanceTiles`` of features.

    Args:
        query: (R, D) float32, the features as the product needs them.
        gallery: (G, D).
        finish: what makes distances of the products.
    """

    def __init__(self, query: Tensor, gallery: Tensor, finish: Finish | None) -> None:
        self._query = query
        self._gallery = gallery
        self._device = query.device
        self.finish = finish

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._query), len(self._gallery)

    @property
    def tile_shape(self) -> tuple[int, int]:
        return _HOST_TILE if self._device.type == "cpu" else _DEVICE_TILE

    def tile(self, rows: slice, columns: slice, out: Tensor | None = None) -> Tensor:
        return self._product(rows, columns, out)

    def distances(self, rows: slice, columns: slice | Tensor) -> Tensor:
        """(R, C); the columns may be gallery indices too."""
        product = self._product(rows, columns)
        return product if self.finish is None else self.finish.apply_(product, rows, columns)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        # From products with the images gathered, of a tile's width and of a height that rounds like a tile's.
        num_rows, num_gallery = self.shape
        width = self.tile_shape[1]
        height = min(num_rows, _PAIR_ROWS) if self._device.type == "cpu" else num_rows
        rows, columns, found = rows.to(self._device), columns.to(self._device), torch.empty(len(rows), device=self._device)
        begin = 0
        while begin < len(rows):
            first = min(int(rows[begin]), num_rows - height)
            block = slice(first, first + height)
            end = int(torch.searchsorted(rows, block.stop))
            if num_gallery <= width:
                distances, place = self.distances(block, slice(0, num_gallery)), columns[begin:end]
            else:
                end = min(end, begin + width)
                images = columns[begin:end]
                distances = self.distances(block, torch.cat([images, images[-1:].expand(width - len(images))]))
                place = torch.arange(len(images), device=self._device)
            found[begin:end] = distances[rows[begin:end] - first, place]
            begin = end
        return found

    @torch.no_grad()
    def _product(self, rows: slice, columns: slice | Tensor, out: Tensor | None = None) -> Tensor:
        query = self._query[rows]
        gallery = self._gallery[columns] if isinstance(columns, slice) else self._gallery.index_select(0, columns)
        with full_precision(self._device):
            if self._device.type == "cpu":
                return _even_product(query, gallery.float(), out)
            return torch.mm(query, gallery.float().T, out=out)


def _even_product(query: Tensor, gallery: Tensor, out: Tensor | None) -> Tensor:
    """query @ gallery.T (R, C), in which what a pair gives does not depend on where its images stand."""
    rows, columns = len(query), len(gallery)
    if 0 < rows < _EVEN_ROWS:
        product = _even_product(torch.cat([query, query[-1:].expand(_EVEN_ROWS - rows, -1)]), gallery, None)[:rows]
        return product if out is None else out.copy_(product)
    rest = columns % _EVEN_COLUMNS
    if not rest:
        return torch.mm(query, gallery.T, out=out)
    if out is None:
        out = query.new_empty(rows, columns)
    torch.mm(query, gallery[:-rest].T, out=out[:, :-rest])
    padded = torch.cat([gallery[-rest:], gallery[-1:].expand(_EVEN_COLUMNS - rest, -1)])
    out[:, -rest:] = torch.mm(query, padded.T)[:, :rest]
    return out


def _norms(features: Tensor) -> Tensor:
    """(N,) float32; features of another type are converted in parts, not as a whole."""
    norms = torch.cat([torch.linalg.vector_norm(part.float(), dim=1) for part in features.split(_CONVERTED)])
    if not torch.isfinite(norms).all():  # the squares of entries from 1e19 overflow, their norm need not
        norms = torch.cat([torch.linalg.vector_norm(part, dim=1, dtype=torch.float64) for part in features.split(_CONVERTED)])
    return norms.float()
