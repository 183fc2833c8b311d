"""The directly angular variant of the loss, which the paper argues against (Eq. 8-10).

Shape shorthand: N images of the batch of all processes; D feature dimensions.
"""

import torch
from torch import Tensor

from vreid_common.modeling import DSAMLoss, pairwise_cosine
from vreid_common.registry import LOSS_REGISTRY

__all__ = ["AngularDSAMLoss", "angular_shrinking"]

_LARGEST_COSINE = 1 - 1e-7
"""Beyond it the arc cosine has no gradient here; float32's next number is 1, where the gradient is infinite."""


def angular_shrinking(features: Tensor, targets: Tensor) -> Tensor:
    """L_ang-pos of each anchor (Eq. 9): the sum of its angles to all images of its identity, by the arc cosine.

    Its gradient to a unit vector (Eq. 10) is 1 / sin θ long. It is cut only where float32 cannot tell the cosine from 1.

    Args:
        features: (N, D); only their directions count.
        targets: (N,) identities.

    Returns:
        (N,) in radians, 0 for the only image of an identity.
    """
    cosine = pairwise_cosine(features).clamp(-_LARGEST_COSINE, _LARGEST_COSINE)
    others = (targets[:, None] == targets).fill_diagonal_(False)
    return torch.acos(cosine).where(others, 0).sum(dim=1)


@LOSS_REGISTRY.register()
class AngularDSAMLoss(DSAMLoss):
    """The DSAM loss with Eq. 9 in place of Eq. 7: an identity is pulled together in the angle. Reads MODEL.LOSSES.DSAM."""

    def shrinking(self, features: Tensor, targets: Tensor) -> Tensor:
        return angular_shrinking(features, targets)
