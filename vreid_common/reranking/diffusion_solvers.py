"""Two ways to spread similarities over a graph, for a block of queries at once.

Both take ``transition``, alpha·S (G, G); ``indices`` and ``seeds`` (B, kq), place and value of what is not 0 in y; alpha; and
how many iterations there may be. Both return f (G, B).

Shape shorthand: G gallery images, B queries of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vreid_common.reranking.sparse import SparseRows

__all__ = ["conjugate_gradient", "iterate"]

# Conjugate gradient ends where the residual is this part of the right-hand side.
_TOLERANCE = 1e-6


def iterate(transition: SparseRows, indices: Tensor, seeds: Tensor, alpha: float, iterations: int) -> Tensor:
    """From f = y on, f ← alpha·S·f + (1 - alpha)·y (DEx, Eq. 10)."""
    state = _dense(transition, indices, seeds)
    indices, seeds = indices.T, seeds.T * (1 - alpha)
    for _ in range(iterations):
        state = transition @ state
        # The neighbours of a query differ, so no two terms meet and the sum has one order.
        state.scatter_add_(0, indices, seeds)
    return state


def conjugate_gradient(transition: SparseRows, indices: Tensor, seeds: Tensor, alpha: float, iterations: int) -> Tensor:
    """Solves (I - alpha·S) f = (1 - alpha)·y, the limit of ``iterate``, by the method of Hestenes and Stiefel from f = 0 on.

    A column that has converged does not change any more, whatever the others need.
    """
    residual = _dense(transition, indices, seeds).mul_(1 - alpha)
    state = torch.zeros_like(residual)
    direction = residual.clone()
    square = residual.square().sum(dim=0)
    enough = square * _TOLERANCE**2
    for _ in range(iterations):
        active = square > enough
        if not bool(active.any()):
            break
        image = direction - transition @ direction
        step = torch.where(active, square / (direction * image).sum(dim=0), 0)
        state.addcmul_(direction, step)
        residual.addcmul_(image, step, value=-1)
        last, square = square, torch.where(active, residual.square().sum(dim=0), square)
        direction.mul_(torch.where(active, square / last, 0)).add_(residual)
    return state


def _dense(transition: SparseRows, indices: Tensor, seeds: Tensor) -> Tensor:
    """y (G, B)."""
    return seeds.new_zeros(len(transition), len(seeds)).scatter_(0, indices.T, seeds.T)
