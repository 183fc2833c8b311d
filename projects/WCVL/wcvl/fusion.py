"""The three ways of Fig. 4 to fuse the global feature x_g and the cross-view feature x_cv.

Shape shorthand: B images; D feature dimensions.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["FUSIONS", "average_normalize", "normalize_average", "normalize_average_normalize"]


def normalize_average(x_g: Tensor, x_cv: Tensor) -> Tensor:
    """x_na, Eq. 5: the mean of the L2-normalised features. For Euclidean distance; its norm is at most 1.

    Args:
        x_g: (B, D) global features.
        x_cv: (B, D) cross-view features.
    """
    return (normalize(x_g, dim=1) + normalize(x_cv, dim=1)) / 2


def average_normalize(x_g: Tensor, x_cv: Tensor) -> Tensor:
    """x_an: the L2-normalised mean of the features as they are, so it leans to the longer one. Arguments as in Eq. 5."""
    return normalize((x_g + x_cv) / 2, dim=1)


def normalize_average_normalize(x_g: Tensor, x_cv: Tensor) -> Tensor:
    """x_nan: x_na on the unit sphere. Arguments as in Eq. 5."""
    return normalize(normalize_average(x_g, x_cv), dim=1)


FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "na": normalize_average,
    "an": average_normalize,
    "nan": normalize_average_normalize,
}
