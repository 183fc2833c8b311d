"""Euclidean distances that are safe to train with.

Shape shorthand: N, M samples; D feature dimensions.

Both functions compute in float32 at least, whatever autocast says: a bfloat16 distance has 8 bits, fewer than the
differences that a triplet margin compares. The gradient at distance 0 (duplicates in a batch) is 0, not NaN.
"""

import torch
from torch import Tensor

__all__ = ["as_float", "paired_euclidean", "pairwise_euclidean"]


def as_float(x: Tensor) -> Tensor:
    """``x`` in float32, or as it is where it is float64."""
    return x if x.dtype == torch.float64 else x.float()


def pairwise_euclidean(x: Tensor, y: Tensor | None = None) -> Tensor:
    """Distance of every row of ``x`` to every row of ``y``.

    The differences are summed directly: ``|x|² + |y|² - 2xy`` cancels for near duplicates, the very pairs that mining picks.

    Args:
        x: (N, D) features.
        y: (M, D) features; ``x`` itself when None.

    Returns:
        (N, M) distances, float32 (float64 for float64 input).
    """
    x = as_float(x)
    y = x if y is None else as_float(y)
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def paired_euclidean(x: Tensor, y: Tensor) -> Tensor:
    """Distance of row i of ``x`` to row i of ``y``.

    Args:
        x: (N, D) features.
        y: (N, D) features.

    Returns:
        (N,) distances, float32 (float64 for float64 input).
    """
    return torch.linalg.vector_norm(as_float(x) - as_float(y), dim=1)
