"""Features like those of a trained model: groups of an identity's images, seeded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["clustered_features"]

IMAGES_AN_IDENTITY = 60
"""As VeRi-776 has (64)."""
NOISE = 1.0
"""Length of an image's own part over that of its identity's: cosines of about 0.5 within identities, 0 across."""


def clustered_features(images: int, dimensions: int, seed: int = 0, noise: float = NOISE) -> tuple[Tensor, Tensor]:
    """L2-normalised features (images, dimensions) float32 in random order, and their identities (images,)."""
    generator = torch.Generator().manual_seed(seed)
    identities = max(2, images // IMAGES_AN_IDENTITY)
    pids = torch.randint(identities, (images,), generator=generator)
    centers = torch.randn(identities, dimensions, generator=generator)
    features = torch.randn(images, dimensions, generator=generator).mul_(noise)
    for start in range(0, images, 8192):  # no further array of the features' size
        features[start : start + 8192] += centers[pids[start : start + 8192]]
        F.normalize(features[start : start + 8192], out=features[start : start + 8192])
    return features, pids
