"""Directions and angles of features, safe to train with.

Shape shorthand: N samples; D feature dimensions.

All is computed in float32 at least. A zero vector has no direction: it stays zero here and its gradient is finite.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vreid_common.modeling.losses.distance import as_float

__all__ = ["paired_angle", "pairwise_cosine", "unit_rows"]

_SHORTEST = 1e-12
"""Rows with no larger entry count as zero, as in ``torch.nn.functional.normalize``."""


def unit_rows(x: Tensor) -> Tensor:
    """Each row divided by its Euclidean norm.

    A row is divided by its largest entry first, so that the squares of huge or tiny entries neither overflow nor vanish.

    Args:
        x: (N, D) features.

    Returns:
        (N, D) unit vectors, float32 (float64 for float64 input); a row without an entry beyond 1e-12 is left as it is.
    """
    x = _scaled(as_float(x))
    return x / _length(x)


def pairwise_cosine(x: Tensor) -> Tensor:
    """Cosine of every row of ``x`` with every row, by one matrix product, and one more for its gradient.

    Args:
        x: (N, D) features.

    Returns:
        (N, N) cosines, float32 (float64 for float64 input), 0 with a row that has no direction.
    """
    x = as_float(x)
    with torch.autocast(x.device.type, enabled=False):
        x = _scaled(x)
        inverse = 1 / _length(x)
        return _Gram.apply(x) * inverse * inverse.T


def paired_angle(x: Tensor, y: Tensor) -> Tensor:
    """Angle between row i of ``x`` and row i of ``y``, in radians.

    As 2 atan2(|x - y|, |x + y|) of unit vectors (Kahan, "How Futile are Mindless Assessments of Roundoff", Sec. 12): exact to
    the last digits near 0 and pi, where the arc cosine loses half of them and has an infinite derivative. The gradient to a
    unit vector is 1 long at most, and 0 at angles 0 and pi, where the angle has none.

    Args:
        x: (N, D) unit vectors.
        y: (N, D) unit vectors.

    Returns:
        (N,) angles in [0, pi], float32 (float64 for float64 input).
    """
    x, y = as_float(x), as_float(y)
    return 2 * torch.atan2(torch.linalg.vector_norm(x - y, dim=1), torch.linalg.vector_norm(x + y, dim=1))


def _scaled(x: Tensor) -> Tensor:
    """Rows whose largest entry is 1, or that count as zero."""
    largest = torch.linalg.vector_norm(x.detach(), ord=torch.inf, dim=1, keepdim=True)
    return x / largest.where(largest > _SHORTEST, 1)


def _length(scaled: Tensor) -> Tensor:
    """(N, 1) norms of scaled rows; those that count as zero stay what they are with 1."""
    return torch.linalg.vector_norm(scaled, dim=1, keepdim=True).clamp(min=1)


class _Gram(torch.autograd.Function):
    """x xᵀ, whose gradient autograd would compute as two products, for lack of knowing that both factors are one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x @ x.T

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return (gradient + gradient.T) @ x
