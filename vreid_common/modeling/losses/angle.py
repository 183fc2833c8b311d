"""Directions and angles of features, safe to train with.

Shape shorthand: N samples; D feature dimensions.

All is computed in float32 at least. A zero vector has no direction: it stays zero here and its gradient is finite.
"""

import torch
from torch import Tensor

from vreid_common.modeling.losses.distance import as_float

__all__ = ["paired_angle", "unit_rows"]

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
    x = as_float(x)
    largest = x.detach().abs().amax(dim=1, keepdim=True)
    x = x / largest.where(largest > _SHORTEST, 1)
    return x / torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=1)


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
