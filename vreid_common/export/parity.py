"""How far the features of an exported file are from those of the model.

Shape shorthand: N images; D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

__all__ = ["RESIZING_TOLERANCE", "TOLERANCE", "Parity", "measure_parity", "model_features"]

TOLERANCE = 1e-3
"""The largest relative difference that two runtimes' rounding makes; a graph that computes something else is far beyond it."""
RESIZING_TOLERANCE = 5e-2
"""The same where the graph resizes, and a few pixels are a grey value off Pillow's."""


@dataclass(frozen=True)
class Parity:
    """How far features are from those of the model.

    Attributes:
        images: N that were compared.
        difference: the largest ‖a - b‖ / ‖b‖ of a feature of an image, b the model's.
        cosine: the smallest cosine of the two.
    """

    images: int
    difference: float
    cosine: float

    def __str__(self) -> str:
        return f"{self.images} images, largest relative difference {self.difference:.1e}, smallest cosine {self.cosine:.7f}"


@torch.no_grad()
def model_features(model: nn.Module, batches: Sequence[Tensor], flip: bool) -> dict[str, Tensor]:
    """Name → features (N, D) float32 that a model in evaluation mode gives batches of images (B, 3, H, W).

    Args:
        model: called with a batch; one feature without a name is called "features".
        batches: of the images.
        flip: the mean of the features of an image and of its mirror image.
    """
    found = [_named(model({"images": images})) for images in batches]
    if flip:
        mirrored = [_named(model({"images": images.flip(dims=(3,))})) for images in batches]
        found = [{name: (a[name] + b[name]) / 2 for name in a} for a, b in zip(found, mirrored, strict=True)]
    return {name: torch.cat([features[name] for features in found]) for name in found[0]}


def measure_parity(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Parity:
    """The worst of all features, each (N, D)."""
    differences, cosines = [], []
    for name, reference in expected.items():
        ours, theirs = found[name].double(), reference.double()
        norm = theirs.norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
        differences.append((ours - theirs).norm(dim=1) / norm)
        cosines.append(cosine_similarity(ours, theirs))
    return Parity(len(differences[0]), float(torch.cat(differences).max()), float(torch.cat(cosines).min()))


def _named(output: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = output if isinstance(output, Mapping) else {"features": output}
    return {name: feature.float() for name, feature in named.items()}
