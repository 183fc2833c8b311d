"""Re-ranking as a graph neural network: an image's feature is its row of the neighbour graph, and features spread over it.

Shape shorthand: Q queries, G gallery images, N = Q + G images, D feature dimensions, B queries of a block.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.blocks import for_each_block
from vreid_common.reranking.expansion import cosine_weights
from vreid_common.reranking.graph import self_and_neighbors
from vreid_common.reranking.parameters import as_count, as_exponent
from vreid_common.reranking.sparse import SparseRows
from vreid_common.structures import FeatureRows

__all__ = ["GraphPropagationRows", "graph_propagation"]

_COLUMNS = 64


class GraphPropagationRows:
    """``graph_propagation`` as ``DistanceRows``: the propagated features are kept sparse, and distances computed when read.

    Images that have nothing in common in the graph, which with small k1 and k2 are most of them, are at distance 1. So that
    they do not rank by their index, their distance is 1 + (1 - cos(q, g)).

    Args:
        query: (Q, D) float32, contiguous.
        gallery: (G, D) likewise, on the same device.

    The other arguments and the errors are those of ``graph_propagation``.
    """

    def __init__(self, query: Tensor, gallery: Tensor, k1: int = 26, k2: int = 7, alpha: float = 2, *, rounds: int = 2) -> None:
        k1, k2, alpha, rounds = as_count(k1, "k1"), as_count(k2, "k2"), as_exponent(alpha, "alpha"), as_count(rounds, "rounds")
        self.shape: tuple[int, int] = (len(query), len(gallery))
        with torch.no_grad():
            neighbors, cosines = self_and_neighbors(torch.cat((query, gallery)), max(k1, k2) + 1)
            weights = cosine_weights(cosines[:, : k2 + 1], alpha)
            self._features = _propagated(neighbors[:, : k1 + 1], neighbors[:, : k2 + 1], weights, rounds)
        self._cosine = FeatureRows(query, gallery, "cosine")
        self._gallery = self._features.slice(len(query), len(self._features))

    def rows(self, start: int, stop: int) -> Tensor:
        distance = self.propagated_distance(start, stop)
        return torch.where(distance < 1, distance, 1 + self._cosine.rows(start, stop).clamp_min_(0))

    @torch.no_grad()
    def propagated_distance(self, start: int, stop: int) -> Tensor:
        """What ``graph_propagation`` returns, for queries ``start`` to ``stop``: (stop - start, G)."""
        stop = min(stop, self.shape[0])
        block = self._features.values.new_empty(max(stop - start, 0), self.shape[1])

        def work(first: int, last: int) -> None:
            queries = self._features.slice(start + first, start + last).transposed(len(self._features))
            block[first:last] = (1 - self._gallery @ queries).clamp_min_(0).T

        for_each_block(work, len(block), _COLUMNS, block.device)
        return block


@torch.no_grad()
def graph_propagation(query: Array, gallery: Array, k1: int = 26, k2: int = 7, alpha: float = 2, *, rounds: int = 2) -> Array:
    """Cosine distance between rows of the neighbour graph that were propagated over it.

    Over query ∪ gallery: A_ij is 1 where j is i or among its ``k1`` nearest by cosine; an image's first feature is its row of
    (A + Aᵀ)/2, so reciprocal neighbours count twice what one-sided ones do. In each round every feature becomes
    h_i + Σ_j max(cos(i, j), 0)**alpha · h_j over the ``k2`` nearest j of i, scaled to unit length.

    Source: Zhang et al., Understanding Image Retrieval Re-Ranking: A Graph Neural Network Perspective, arXiv:2012.07620. (Its
    released code makes the features symmetric again before the second round; here it is the graph that is, once.)

    Args:
        query: (Q, D) floats.
        gallery: (G, D) floats.
        k1: neighbours in the graph, the image itself not among them; ties are broken by index, queries before the gallery.
        k2: neighbours that features come from, counted likewise.
        alpha: how fast the weight falls with the cosine.
        rounds: how often features are propagated.

    Returns:
        (Q, G) float32 distances in [0, 1].

    Raises:
        TypeError, ValueError: the features do not fit each other, or a parameter is outside its range.
    """
    queries, images = as_features(query, gallery)
    return give_back(
        GraphPropagationRows(queries, images, k1, k2, alpha, rounds=rounds).propagated_distance(0, len(queries)), query
    )


def _sparse(neighbors: Tensor, values: Tensor) -> Tensor:
    rows = torch.arange(len(neighbors), device=neighbors.device)[:, None].expand_as(neighbors)
    indices = torch.stack((rows.flatten(), neighbors.flatten()))
    return torch.sparse_coo_tensor(indices, values.flatten(), (len(neighbors),) * 2).coalesce()


def _propagated(graph: Tensor, sources: Tensor, weights: Tensor, rounds: int) -> SparseRows:
    """The features (N, N) after all rounds, from the neighbours (N, k1 + 1) and (N, k2 + 1), the image itself among both."""
    with warnings.catch_warnings():
        # torch says once that sparse matrices are not checked, and that the format it multiplies them in is a beta version.
        warnings.filterwarnings("ignore", "Sparse (CSR tensor support|invariant checks)", UserWarning)
        features, propagate = _adjacency(graph), _sparse(sources, weights)
        for _ in range(rounds):
            features = _unit_rows(torch.sparse.mm(propagate, features).coalesce())
    return SparseRows.from_coo(features)


def _adjacency(neighbors: Tensor) -> Tensor:
    directed = _sparse(neighbors, torch.full(neighbors.shape, 0.5, device=neighbors.device))
    return (directed + directed.t()).coalesce()


def _unit_rows(features: Tensor) -> Tensor:
    """Scales the rows of a COO matrix to unit length; none is zero, since each holds the image itself."""
    squares = SparseRows.from_coo(features)
    squares = SparseRows(squares.offsets, squares.columns, squares.values.square())
    norms = (squares @ squares.values.new_ones(features.shape[1], 1)).sqrt_()
    rows, _ = indices = features.indices()
    return torch.sparse_coo_tensor(indices, features.values() / norms[rows, 0], features.shape, is_coalesced=True)
