"""Diffusion: a query's similarities spread over the graph of mutual neighbours of the gallery.

Shape shorthand: Q queries, G gallery images, D feature dimensions, B queries of a block.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.blocks import for_each_block
from vreid_common.reranking.diffusion_solvers import conjugate_gradient, iterate
from vreid_common.reranking.expansion import cosine_weights
from vreid_common.reranking.graph import mutual_graph, order_by_neighborhood, self_and_neighbors
from vreid_common.reranking.neighbors import nearest_neighbors
from vreid_common.reranking.parameters import as_count, as_exponent
from vreid_common.reranking.sparse import SparseRows
from vreid_common.structures import FeatureRows

__all__ = ["DiffusionRows", "DiffusionSolver", "diffusion"]

DiffusionSolver = Literal["iteration", "conjugate_gradient"]

# The state of a block of queries is (G, B). More columns than this no longer fit into a processor's cache.
_COLUMNS = 64
_STATE_BYTES = 16 << 20
# Columns that a processor computes with one instruction.
_VECTOR = 8


class DiffusionRows:
    """``diffusion`` as ``DistanceRows``, solved when read: memory is O(G·k + Q·kq) and a block's.

    A gallery image that the graph does not lead to has similarity 0. So that such images do not rank by their index, their
    distance is 1 - cos(q, g), which is never below 0, and that of all others the negative similarity.

    Args:
        query: (Q, D) float32, contiguous.
        gallery: (G, D) likewise, on the same device.

    The other arguments and the errors are those of ``diffusion``.
    """

    def __init__(
        self,
        query: Tensor,
        gallery: Tensor,
        k: int = 50,
        kq: int = 25,
        alpha: float = 0.95,
        gamma: float = 3,
        iterations: int = 25,
        *,
        solver: DiffusionSolver = "iteration",
    ) -> None:
        k, kq, self._iterations = as_count(k, "k"), as_count(kq, "kq"), as_count(iterations, "iterations")
        gamma = as_exponent(gamma, "gamma")
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha is in [0, 1), got {alpha}.")
        if solver not in get_args(DiffusionSolver):
            raise ValueError(f"solver is iteration or conjugate_gradient, got {solver!r}.")
        self._alpha = float(alpha)
        self._solve = iterate if solver == "iteration" else conjugate_gradient
        self._cosine = FeatureRows(query, gallery, "cosine")
        with torch.no_grad():
            neighbors, cosines = self_and_neighbors(gallery, k + 1)
            neighbors, cosines = neighbors[:, 1:], cosines[:, 1:]
            # Within, images are renumbered by an order in which neighbours are near each other.
            order = order_by_neighborhood(neighbors)
            self._number = order.argsort()
            self._transition = _transition(self._number[neighbors[order]], _affinities(cosines[order], gamma), self._alpha)
            nearest, cosines = nearest_neighbors(query, gallery, kq)
            self._nearest, self._seeds = self._number[nearest], _affinities(cosines, gamma)

    @property
    def shape(self) -> tuple[int, int]:
        return self._cosine.shape

    def rows(self, start: int, stop: int) -> Tensor:
        similarity = self.similarity(start, stop)
        return torch.where(similarity > 0, -similarity, self._cosine.rows(start, stop).clamp_min_(0))

    @torch.no_grad()
    def similarity(self, start: int, stop: int) -> Tensor:
        """What ``diffusion`` returns, for queries ``start`` to ``stop``: (stop - start, G)."""
        nearest, seeds = self._nearest[start:stop], self._seeds[start:stop]
        similarity = seeds.new_empty(len(seeds), self.shape[1])

        def work(first: int, last: int) -> None:
            state = self._solve(self._transition, nearest[first:last], seeds[first:last], self._alpha, self._iterations)
            similarity[first:last] = state[self._number].T

        for_each_block(work, len(seeds), self._columns(len(seeds)), seeds.device)
        return similarity

    def _columns(self, queries: int) -> int:
        """How many queries to solve for at once: what the cache holds, but work for every thread."""
        columns = min(_COLUMNS, _STATE_BYTES // (4 * self.shape[1] + 1))
        if self._seeds.device.type == "cpu":
            columns = min(columns, math.ceil(queries / torch.get_num_threads()))
        return max(_VECTOR, math.ceil(columns / _VECTOR) * _VECTOR)


@torch.no_grad()
def diffusion(
    query: Array,
    gallery: Array,
    k: int = 50,
    kq: int = 25,
    alpha: float = 0.95,
    gamma: float = 3,
    iterations: int = 25,
    *,
    solver: DiffusionSolver = "iteration",
) -> Array:
    """Similarity of each query to each gallery image after a random walk over the gallery.

    The affinity of two images is max(cos, 0)**gamma. A holds it for gallery images that are among each other's ``k`` nearest, 0
    elsewhere and on its diagonal; S = D^(-1/2) A D^(-1/2) with the row sums D (an image without such a neighbour keeps a row of
    zeros); y holds the affinities of the query's ``kq`` nearest gallery images. From f = y on, each iteration takes
    alpha·S·f + (1 - alpha)·y for f; the limit solves (I - alpha·S) f = (1 - alpha)·y.

    Sources: Dual Embedding Expansion for Vehicle Re-identification, CVPRW 2020, Eq. 9-10; Iscen et al., Efficient Diffusion on
    Region Manifolds, CVPR 2017, for affinities, query and conjugate gradient.

    Args:
        query: (Q, D) floats.
        gallery: (G, D) floats.
        k: neighbours in the gallery's graph, the image itself not among them; ties are broken by index.
        kq: neighbours of a query.
        alpha: how far similarities spread, in [0, 1).
        gamma: exponent of the affinities.
        iterations: how many; the most that conjugate gradient may take, which ends before where its residual is 1e-6 of y.
        solver: "iteration", or "conjugate_gradient" for the limit in fewer steps.

    Returns:
        (Q, G) float32; *larger* is nearer. It is 0 where the graph does not lead, so throughout for a zero vector.

    Raises:
        TypeError, ValueError: the features do not fit each other, or a parameter is outside its range.
    """
    queries, images = as_features(query, gallery)
    rows = DiffusionRows(queries, images, k, kq, alpha, gamma, iterations, solver=solver)
    return give_back(rows.similarity(0, len(queries)), query)


def _affinities(cosines: Tensor, gamma: float) -> Tensor:
    # 0**0 is 1, but a cosine that is not positive is no affinity whatever gamma is.
    return torch.where(cosines > 0, cosine_weights(cosines, gamma), 0)


def _transition(neighbors: Tensor, affinities: Tensor, alpha: float) -> SparseRows:
    """alpha·S (G, G) from the neighbours (G, k), the image itself not among them, and their affinities (G, k)."""
    affinity, degrees = mutual_graph(neighbors, affinities)
    scale = torch.where(degrees > 0, degrees.rsqrt(), 0)
    rows = torch.arange(len(affinity), device=scale.device).repeat_interleave(affinity.offsets.diff())
    return SparseRows(affinity.offsets, affinity.columns, affinity.values * scale[rows] * scale[affinity.columns] * alpha)
