"""One feature an image, from several models, scales and the mirror image.

Shape shorthand: M models, V views (scales, each with its mirror image or not), B images of a batch, D feature dimensions,
H×W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from vreid_common.errors import InputError

__all__ = ["COMBINATIONS", "Ensemble", "main_feature", "resize_images"]

COMBINATIONS = ("sum", "concat", "mean")
"""How the features of models and views become one; ``Ensemble`` defines them."""


class Ensemble(nn.Module):
    """Models as one model: called with a batch, as each of them is, it returns one (B, D) float32 feature.

    With x_mv the feature of model m for view v, and L2(x) = x / ‖x‖:

    - ``"sum"``: L2(Σ_m Σ_v L2(x_mv)), as long as one model's feature. Source: DEx Eq. 4, the vectors normalised before.
    - ``"concat"``: the models' L2(Σ_v L2(x_mv)) one after the other, divided by √M. The cosine of two such features is the mean
      of the models' cosines.
    - ``"mean"``: the mean of all x_mv as they are. FastReID's and ``TEST.FLIP``'s; one model's single view stays what it is.

    A scale resizes the input: a (B, 3, H, W) batch is shown to the models at (round(scale·H), round(scale·W)), resized with
    the interpolation of the test transform (bicubic, antialiased) on the batch's device, so an image is read only once.

    Args:
        models: called with a batch; of named features the first, main one is taken. They are on one device.
        scales: of the input, e.g. DEx's 0.9, 1, 1.1, 1.2.
        flip: also show the models the mirror image at each scale.
        combine: one of ``COMBINATIONS``.

    Raises:
        InputError: there is no model or scale, or no such combination; when called, if the models' features differ in size
            and are not concatenated.
    """

    def __init__(
        self, models: Sequence[nn.Module], scales: Sequence[float] = (1.0,), *, flip: bool = False, combine: str = "sum"
    ) -> None:
        super().__init__()
        if not models:
            raise InputError("There is no model to extract features with.")
        if not scales or not all(0 < scale < math.inf for scale in scales):
            raise InputError(f"The scales are {', '.join(map(str, scales)) or 'empty'}: give one or more numbers above 0.")
        if combine not in COMBINATIONS:
            raise InputError(f"Features cannot be combined by {combine!r}: use one of {', '.join(COMBINATIONS)}.")
        self.models = nn.ModuleList(models)
        self.scales = tuple(scales)
        self.flip = flip
        self.combine = combine

    def forward(self, batch: Mapping[str, Any]) -> Tensor:
        """
        Args:
            batch: a batch (docs/architecture.md) whose ``images`` are (B, 3, H, W), uint8 or float 0..255; it is not changed.

        Returns:
            (B, D) float32; M·D where the models' features are concatenated.
        """
        scaled = (lambda x: x) if self.combine == "mean" else _unit
        totals: list[Tensor] = []
        for images in self._views(batch["images"]):
            view = {**batch, "images": images}
            found = [scaled(main_feature(model(view)).float()) for model in self.models]
            totals = [a + b for a, b in zip(totals, found, strict=True)] if totals else found
        if self.combine == "concat":
            return torch.cat([_unit(total) for total in totals], dim=1) / math.sqrt(len(totals))
        sizes = sorted({total.shape[1] for total in totals})
        if len(sizes) > 1:
            raise InputError(
                f"The models' features have {' and '.join(map(str, sizes))} dimensions, so they have no {self.combine}: "
                "combine them by concat."
            )
        total = torch.stack(totals).sum(dim=0)
        return total / (len(totals) * self.num_views) if self.combine == "mean" else _unit(total)

    @property
    def num_views(self) -> int:
        """V, how often each model sees an image."""
        return len(self.scales) * (2 if self.flip else 1)

    def _views(self, images: Tensor) -> Iterator[Tensor]:
        for scale in self.scales:
            resized = resize_images(images, scale)
            yield resized
            if self.flip:
                yield resized.flip(dims=(3,))


def main_feature(output: Tensor | Mapping[str, Tensor]) -> Tensor:
    """The feature of a model that returns one, the first of a model that returns several by name."""
    return next(iter(output.values())) if isinstance(output, Mapping) else output


def _unit(features: Tensor) -> Tensor:
    return normalize(features, dim=1)


def resize_images(images: Tensor, scale: float) -> Tensor:
    """A batch (B, 3, H, W) at (round(scale·H), round(scale·W)), bicubic and antialiased on its device; itself at scale 1."""
    if scale == 1:
        return images
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    # Bicubic weights overshoot at edges.
    return interpolate(images.float(), size, mode="bicubic", antialias=True).clamp_(0, 255)
