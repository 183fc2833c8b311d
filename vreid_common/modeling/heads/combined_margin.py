"""The softmax family with a margin in the angle: s (cos(m1 θ + m2) + m3) in place of the target's s cos θ.

Shape shorthand: B images; C classes; D feature dimensions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vreid_common.errors import InputError
from vreid_common.modeling.losses.angle import paired_angle, unit_rows

__all__ = ["CombinedMargin", "margin_cosine"]


def margin_cosine(angle: Tensor, m1: float = 1.0, m2: float = 0.0, m3: float = 0.0) -> Tensor:
    """cos(m1 θ + m2) + m3 (DSAM's Eq. 4), continued so that it falls with θ everywhere.

    The cosine would rise again where φ = m1 θ + m2 lies beyond [0, pi], and reward a larger angle. There it is
    (-1)^k cos φ - 2k with k = floor(φ / pi) (Liu et al., SphereFace, CVPR 2017, Sec. 3.2), which has no step and no kink.

    Args:
        angle: (B,) angles θ in [0, pi].
        m1: factor of the angle: SphereFace.
        m2: added to the angle, in radians: ArcFace.
        m3: added to the cosine: CosFace's margin with a minus sign.
    """
    phi = m1 * angle + m2
    k = torch.floor(phi.detach() / math.pi)
    return (1 - 2 * (k % 2)) * torch.cos(phi) - 2 * k + m3


class CombinedMargin(nn.Module):
    """Logits of DSAM's Eq. 5: normalised softmax (1, 0, 0), SphereFace (4, 0, 0), ArcFace (1, 0.5, 0), CosFace (1, 0, -0.35).

    Gradients are finite everywhere, also where a feature points exactly to or away from its class: the target's angle is
    computed from the two vectors, not by an arc cosine, whose derivative is infinite there. Computed in float32 at least.

    Args:
        scale: s, the radius of the hypersphere.
        m1, m2, m3: as in ``margin_cosine``.

    Raises:
        InputError: the scale or m1 is not positive.
    """

    def __init__(self, scale: float, m1: float = 1.0, m2: float = 0.0, m3: float = 0.0) -> None:
        super().__init__()
        for name, value in (("SCALE", scale), ("COMBINED_MARGIN.M1", m1)):
            if value <= 0:
                raise InputError(f"MODEL.HEADS.{name} is {value}: the combined margin needs more than 0.")
        self.scale, self.m1, self.m2, self.m3 = scale, m1, m2, m3

    def forward(self, features: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            features: (B, D).
            weight: (C, D), a row a class.
            targets: (B,) int64 classes.

        Returns:
            (B, C) logits with the margin in each target's, and the same without a margin.
        """
        with torch.autocast(features.device.type, enabled=False):
            unit, centers = unit_rows(features), unit_rows(weight)
            cosine = functional.linear(unit, centers)
            target = margin_cosine(paired_angle(unit, centers[targets]), self.m1, self.m2, self.m3)
        return self.scale * cosine.scatter(1, targets[:, None], target[:, None]), self.scale * cosine

    def extra_repr(self) -> str:
        return f"scale={self.scale}, m1={self.m1}, m2={self.m2}, m3={self.m3}"
