"""Exact neighbour search on the CPU: tiles of inner products, ranked while they are in the cache.

Every thread multiplies tiles of its own with a single-threaded product and at once offers their entries to the candidates of
the tile's rows and columns; where rows and columns are one set, each pair is computed once. No thread waits for another one, so
there is no pool of OpenMP threads that spins between the products. What float32 may have misjudged is found out and searched
again.

Shape shorthand: N rows, M columns (images), k neighbours, K >= k candidates, D dimensions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vreid_common.processes import Processes
from vreid_common.reranking.panels import FeatureUnion, Panel
from vreid_common.reranking.search_kernels import merge_candidates, rank_candidates, scan_tile, search_row_exactly
from vreid_common.structures.precision import full_precision
from vreid_common.threads import run_threads

__all__ = ["ALONE", "Found", "search_tiles"]

ALONE = Processes()

PANEL = 1024
"""Rows of a panel: a tile of 4 MB, large enough for the product to run at full speed, small enough for the cache."""
_NONE = np.iinfo(np.int32).max
Sink = Callable[[Panel, Panel, Tensor], None]


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        indices: (N, k) int32 columns, nearest first, ties by index.
        distances: (N, k) float32 squared distances, or negative cosines.
        farthest: (N,) float32 the distance of the farthest column; not asked for, it is empty.
    """

    indices: np.ndarray
    distances: np.ndarray
    farthest: np.ndarray

    def of_all(self, processes: Processes, mine: range) -> Found:
        """What all processes found; each of them has filled the rows ``mine``."""
        if processes.size == 1:
            return self
        arrays = (array[mine.start : mine.stop] for array in (self.indices, self.distances, self.farthest))
        return Found(*(processes.join(torch.from_numpy(array)).numpy() for array in arrays))


class Candidates:
    """The best ``size`` columns of every row so far, by approximate keys; see ``search_kernels``."""

    def __init__(self, rows: int, size: int, farthest: bool) -> None:
        self.keys = np.full((rows, size), np.inf, np.float32)
        self.ids = np.full((rows, size), _NONE, np.int32)
        self.bounds = np.full(rows, np.inf, np.float32)
        # No key is greater than infinity, so nothing is ever kept where the farthest is not asked for.
        self.far = np.full(rows, -np.inf if farthest else np.inf, np.float32)
        self.far_ids = np.full(rows, -1, np.int32)

    def of(self, start: int, stop: int) -> tuple[np.ndarray, ...]:
        return tuple(array[start:stop] for array in (self.keys, self.ids, self.bounds, self.far, self.far_ids))

    def merge(self, processes: Processes) -> None:
        """Takes in what the other processes found in their tiles. ``bounds`` are not needed any more."""
        if processes.size == 1:
            return
        arrays = self.keys, self.ids, self.far, self.far_ids
        own = [torch.from_numpy(array.copy()) for array in arrays]
        for rank in range(processes.size):
            others = [processes.from_rank(rank, array).numpy() for array in own]
            if rank != processes.rank:
                merge_candidates(*arrays, *others)


def search_tiles(
    rows: FeatureUnion,
    columns: FeatureUnion,
    k: int,
    *,
    cosine: bool,
    farthest: bool = False,
    sink: Sink | None = None,
    processes: Processes = ALONE,
) -> Found:
    """The ``k`` nearest columns of every row.

    Args:
        rows: features on the CPU; L2-normalised for the cosine.
        columns: likewise; the same object as ``rows`` if each pair is to be computed once.
        k: 1 <= k <= M.
        cosine: compare by the inner product instead of the squared Euclidean distance.
        farthest: also find the farthest column of each row.
        sink: is given every tile's row panel, column panel and inner products (R, C), which it must copy.
        processes: share the tiles and the ranking; each gets the whole result, and a sink its own process's tiles.
    """
    found = Found(
        np.empty((len(rows), k), np.int32),
        np.empty((len(rows), k), np.float32),
        np.empty(len(rows) if farthest else 0, np.float32),
    )
    halves = [np.zeros(len(union), np.float32) if cosine else union.half_squared_norms().numpy() for union in (rows, columns)]
    candidates = Candidates(len(rows), min(len(columns), k + max(8, k // 4)), farthest)
    with full_precision(torch.device("cpu")):
        _scan(rows, columns, halves, candidates, sink, processes)
        candidates.merge(processes)
        mine = processes.share(len(rows))
        negative_norm = max(rows.negative_norm(), columns.negative_norm())
        uncertain = _rank(rows, columns, halves[0], candidates, cosine, negative_norm, found, mine)
        del candidates
        _search_again(rows, columns, halves, np.flatnonzero(uncertain), cosine, negative_norm, found)
    return found.of_all(processes, mine)


def _scan(
    rows: FeatureUnion,
    columns: FeatureUnion,
    halves: Sequence[np.ndarray],
    candidates: Candidates,
    sink: Sink | None = None,
    processes: Processes = ALONE,
) -> None:
    symmetric = rows is columns
    row_panels = rows.panels(PANEL)
    column_panels = row_panels if symmetric else columns.panels(PANEL)
    tiles = [(i, j) for i in range(len(row_panels)) for j in range(i if symmetric else 0, len(column_panels))]
    # Tiles that follow one another share no panel, so that threads seldom wait for the same one. The diagonal comes first:
    # images of one vehicle are mostly neighbours in a data set too, and near candidates keep farther ones out.
    tiles.sort(key=lambda tile: ((tile[1] - tile[0]) % len(column_panels), tile[0]))
    tiles = tiles[processes.rank :: processes.size]
    locks = [threading.Lock() for _ in row_panels]

    def work(numbers: Iterator[int]) -> None:
        buffer = torch.empty(PANEL * PANEL)
        for number in numbers:
            i, j = tiles[number]
            row, column = row_panels[i], column_panels[j]
            shape = (row.stop - row.start, column.stop - column.start)
            product = buffer[: shape[0] * shape[1]].view(shape)
            torch.mm(rows.centered(*row), columns.mirrored(*column).T, out=product)
            if sink is not None:
                sink(row, column, product)
            both = symmetric and i != j
            kept = candidates.of(row.start, row.stop)
            others = candidates.of(column.start, column.stop) if both else kept
            with locks[i], locks[j] if both else nullcontext():
                scan_tile(
                    product.numpy(), row.start, column.start, both,
                    halves[0][row.start : row.stop], *kept, halves[1][column.start : column.stop], *others,
                )  # fmt: skip

    run_threads(work, len(tiles))


def _rank(
    rows: FeatureUnion,
    columns: FeatureUnion,
    half: np.ndarray,
    candidates: Candidates,
    cosine: bool,
    negative_norm: float,
    found: Found,
    mine: range,
) -> np.ndarray:
    """Fills the rows ``mine`` of ``found``, and says which of them are uncertain (N,)."""
    uncertain = np.zeros(len(rows), bool)
    panels = rows.panels(PANEL // 4, mine)
    first, second = columns.first.numpy(), columns.second.numpy()

    def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            panel = panels[number]
            part = slice(*panel)
            farthest = found.farthest[part] if len(found.farthest) else np.empty(panel.stop - panel.start, np.float32)
            rank_candidates(
                rows.raw(*panel).numpy(), half[part], first, second, cosine, columns.positive, negative_norm,
                candidates.keys[part], candidates.ids[part], candidates.far_ids[part],
                found.indices[part], found.distances[part], farthest, uncertain[part],
            )  # fmt: skip

    run_threads(work, len(panels))
    return uncertain


def _search_again(
    rows: FeatureUnion, columns: FeatureUnion, halves: Sequence[np.ndarray], doubtful: np.ndarray, cosine: bool,
    negative_norm: float, found: Found,
) -> None:  # fmt: skip
    """Searches the ``doubtful`` rows with more candidates, and those that stay so (many images in one place) exactly."""
    k = found.indices.shape[1]
    size = min(len(columns), 8 * k + 64)
    still = []
    for start in range(0, len(doubtful), 4 * PANEL):
        part = doubtful[start : start + 4 * PANEL]
        subset = rows.take(torch.from_numpy(part))
        half = halves[0][part]
        candidates = Candidates(len(part), size, False)
        _scan(subset, columns, (half, halves[1]), candidates)
        again = Found(np.empty((len(part), k), np.int32), np.empty((len(part), k), np.float32), np.empty(0, np.float32))
        uncertain = _rank(subset, columns, half, candidates, cosine, negative_norm, again, range(len(part)))
        found.indices[part], found.distances[part] = again.indices, again.distances
        still.append(part[uncertain])
    last = np.concatenate(still) if still else doubtful
    first, second = columns.first.numpy(), columns.second.numpy()

    def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            row = int(last[number])
            x = rows.raw(row, row + 1)[0].numpy()
            search_row_exactly(x, first, second, cosine, columns.positive, found.indices[row], found.distances[row])

    run_threads(work, len(last))
