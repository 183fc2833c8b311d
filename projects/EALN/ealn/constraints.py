"""EALN's constraints on distances in the embedding space, image by image.

They are hinges; where one is met exactly its gradient is 0. Means over images are the caller's business.

Shape shorthand: N images; D feature dimensions.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

__all__ = ["belt_loss", "margin_loss", "squared_distance"]


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """d(x, y) = ‖x - y‖² of row i of ``x`` and row i of ``y`` (Eq. 2), from 0 to 4 for L2-normalised rows.

    Args:
        x, y: (N, D) features of any float type; computed in float32 at least.

    Returns:
        (N,)
    """
    x, y = (rows if rows.dtype.itemsize >= 4 else rows.float() for rows in (x, y))
    return (x - y).square().sum(dim=1)


def belt_loss(generated: Tensor, negative: Tensor, beta1: float, beta2: float) -> Tensor:
    """max{β1 - d(x, G(x)), 0} + max{d(x, G(x)) + β2 - d(x, x^n), 0}, which keeps G_hard(x) in a belt around x (Eq. 4).

    Args:
        generated: (N,) d(x, G_hard(x)).
        negative: (N,) d(x, x^n).
        beta1: least distance of a generated image.
        beta2: by how much it has to be nearer than the real negative.

    Returns:
        (N,)
    """
    return relu(beta1 - generated) + margin_loss(generated, negative, beta2)


def margin_loss(near: Tensor, far: Tensor, alpha: float) -> Tensor:
    """max{near + α - far, 0}.

    It is the triplet loss with d(x, x^p) and d(x, x^n), Eq. 5 with d(x, x^p) and d(x, G_hard(x)), Eq. 9 with d(x, G_view(x))
    and d(x, x^n), and Eq. 10 with d(x, x^p) and d(x, G_view(x)).

    Args:
        near: (N,) distances that have to be the smaller ones.
        far: (N,)
        alpha: margin.

    Returns:
        (N,)
    """
    return relu(near + alpha - far)
