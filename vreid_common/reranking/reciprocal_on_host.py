"""k-reciprocal re-ranking on the CPU: sparse rows, made and compared by threads that never wait for each other.

Shape shorthand: Q queries, G gallery images, N = Q + G, C gallery images of a chunk, D dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vreid_common.processes import Processes
from vreid_common.reranking.panels import FeatureUnion, Panel
from vreid_common.reranking.reciprocal_kernels import average_rows, encode_rows, invert, jaccard_rows, mark_mutual
from vreid_common.reranking.tile_search import ALONE, Found, Sink, search_tiles
from vreid_common.structures.precision import full_precision
from vreid_common.threads import run_threads

__all__ = ["Encoding", "HostRows", "encode", "rerank_dense"]

_ROWS = 256
"""Images that a thread encodes at a time."""
_CHUNKS = 1024, 65536
"""The fewest and the most gallery images that a thread compares with all queries at a time."""


class CompressedRows(NamedTuple):
    """Rows of an (R, N) array: ``columns[pointers[r]:pointers[r + 1]]`` and their ``weights``."""

    pointers: np.ndarray
    columns: np.ndarray
    weights: np.ndarray

    @classmethod
    def join(cls, parts: list) -> CompressedRows:
        """Rows from parts (sizes, columns, weights), each of which is let go as soon as it is copied."""
        total = sum(len(part[1]) for part in parts)
        columns, weights = np.empty(total, np.int32), np.empty(total, np.float32)
        sizes, end = [], 0
        for number, part in enumerate(parts):
            begin, end = end, end + len(part[1])
            sizes.append(part[0])
            columns[begin:end], weights[begin:end] = part[1], part[2]
            parts[number] = part = None
        return cls(_pointers(np.concatenate([np.empty(0, np.int64), *sizes])), columns, weights)

    def of_all(self, processes: Processes) -> CompressedRows:
        """The rows of all processes, one after another."""
        if processes.size == 1:
            return self
        sizes, *entries = (
            processes.join(torch.from_numpy(array)).numpy() for array in (np.diff(self.pointers), self.columns, self.weights)
        )
        return CompressedRows(_pointers(sizes), *entries)


class Encoding(NamedTuple):
    """What is kept of N images.

    Attributes:
        neighbors: (N, k2) int32, or (N, 0) where k2 is 1 and nothing is averaged.
        features: the k-reciprocal features, N rows.
        half: (N,) half squared norms of the centred images.
        farthest: (N,) each image's greatest squared distance.
    """

    neighbors: np.ndarray
    features: CompressedRows
    half: np.ndarray
    farthest: np.ndarray

    def averaged(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sizes, columns and weights of the rows ``start`` to ``stop`` after local query expansion."""
        pointers, columns, weights = self.features
        count = self.neighbors.shape[1]
        if count:
            return average_rows(self.neighbors, count, pointers, columns, weights, start, stop)
        part = slice(pointers[start], pointers[stop])
        return np.diff(pointers[start : stop + 1]), columns[part], weights[part]


def encode(union: FeatureUnion, k1: int, k2: int, *, sink: Sink | None = None, processes: Processes = ALONE) -> Encoding:
    """The k-reciprocal features of every image; ``sink`` and ``processes`` are ``search_tiles``'s."""
    images = len(union)
    full, half = min(k1 + 1, images), min(round(k1 / 2) + 1, images)
    found = search_tiles(union, union, max(full, min(k2, images)), cosine=False, farthest=True, sink=sink, processes=processes)
    features = _encode_neighbors(union, found, full, half, processes)
    neighbors = found.indices[:, : min(k2, images) if k2 > 1 else 0].copy()
    return Encoding(neighbors, features, union.half_squared_norms().numpy(), found.farthest)


def _encode_neighbors(union: FeatureUnion, found: Found, full: int, half: int, processes: Processes) -> CompressedRows:
    images = len(union)
    mutual = np.empty((images, half), bool)
    _in_blocks(range(images), lambda start, stop: mark_mutual(found.indices, half, start, stop, mutual))
    first, second = union.first.numpy(), union.second.numpy()
    parts = _in_blocks(
        processes.share(images),
        lambda start, stop: encode_rows(
            found.indices, found.distances, found.farthest, full, half, mutual, first, second, union.positive, start, stop
        ),
    )
    return CompressedRows.join(parts).of_all(processes)


def rerank_dense(union: FeatureUnion, k1: int, k2: int, lambda_value: float) -> Tensor:
    """All distances (Q, G). The inner products that the search computes anyway are kept in the result until they are needed."""
    queries = len(union.first)
    out = torch.empty(queries, len(union) - queries)

    def keep(rows: Panel, columns: Panel, product: Tensor) -> None:
        if rows.stop <= queries <= columns.start:
            out[rows.start : rows.stop, columns.start - queries : columns.stop - queries] = product

    encoding = encode(union, k1, k2, sink=keep)
    asked = _averaged_rows(encoding, 0, queries)
    matrix, least = out.numpy(), np.float32(union.least_distance)
    chunks = _chunks(queries, len(union), asked)

    def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            start, stop = chunks[number]
            inverse = _inverse(encoding, start, stop)
            jaccard_rows(
                *asked, 0, *inverse, lambda_value,
                encoding.half[:queries], encoding.half[start:stop], encoding.farthest[:queries], least, matrix, start - queries,
            )  # fmt: skip

    run_threads(work, len(chunks))
    return out


class HostRows:
    """Distances that are computed when they are read; see ``k_reciprocal_rows``."""

    def __init__(self, union: FeatureUnion, k1: int, k2: int, lambda_value: float, processes: Processes = ALONE) -> None:
        self._union = union
        self._queries = len(union.first)
        self._share = lambda_value
        encoding = encode(union, k1, k2, processes=processes)
        self._half, self._farthest = encoding.half, encoding.farthest
        self._asked = _averaged_rows(encoding, 0, self._queries)
        self._chunks = _chunks(self._queries, len(union), self._asked)
        self._inverses: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [()] * len(self._chunks)

        def work(numbers: Iterator[int]) -> None:
            for number in numbers:
                self._inverses[number] = _inverse(encoding, *self._chunks[number])

        run_threads(work, len(self._chunks))

    @property
    def shape(self) -> tuple[int, int]:
        return self._queries, len(self._union) - self._queries

    def rows(self, start: int, stop: int) -> Tensor:
        out = torch.empty(stop - start, self.shape[1])
        matrix = out.numpy()
        queries, least = self._union.centered(start, stop), np.float32(self._union.least_distance)

        def work(numbers: Iterator[int]) -> None:
            for number in numbers:
                first, last = self._chunks[number]
                begin, end = first - self._queries, last - self._queries
                if self._share:
                    torch.mm(queries, self._union.mirrored(first, last).T, out=out[:, begin:end])
                jaccard_rows(
                    *self._asked, start, *self._inverses[number], self._share,
                    self._half[start:stop], self._half[first:last], self._farthest[start:stop], least, matrix, begin,
                )  # fmt: skip

        with full_precision(torch.device("cpu")):
            run_threads(work, len(self._chunks))
        return out


def _in_blocks(images: range, task: Callable[[int, int], object]) -> list:
    """The results of ``task(start, stop)`` over blocks of images, in order, computed by threads."""
    starts = range(images.start, images.stop, _ROWS)
    results: list = [None] * len(starts)

    def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            results[number] = task(starts[number], min(starts[number] + _ROWS, images.stop))

    run_threads(work, len(starts))
    return results


def _pointers(sizes: np.ndarray) -> np.ndarray:
    pointers = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=pointers[1:])
    return pointers


def _chunks(queries: int, images: int, asked: CompressedRows) -> list[tuple[int, int]]:
    """The gallery's images, cut so that a chunk's inverse has some two entries for each of its N pointers.

    What the threads need at a time then grows with N alone, however many entries a row has, and pointers are the lesser part.
    """
    entries = max(1, len(asked.columns) // queries)
    fewest, most = _CHUNKS
    size = min(max(2 * images // entries, fewest), most)
    return [(start, min(start + size, images)) for start in range(queries, images, size)]


def _averaged_rows(encoding: Encoding, start: int, stop: int) -> CompressedRows:
    blocks = range(start, stop, _ROWS)
    return CompressedRows.join([encoding.averaged(block, min(block + _ROWS, stop)) for block in blocks])


def _inverse(encoding: Encoding, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = _averaged_rows(encoding, start, stop)
    return invert(rows.pointers, rows.columns, rows.weights, len(encoding.half))
