"""A file of ``vreid export`` as a model, whatever runs it.

Shape shorthand: B images; H×W pixels; D feature dimensions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.export.record import ExportRecord

__all__ = ["ExportedNetwork"]


class ExportedNetwork(nn.Module):
    """Called with a batch, it returns the features of the model that was exported, to rounding.

    Args:
        path: the file, for messages.
        record: what the file says of itself.
    """

    def __init__(self, path: str, record: ExportRecord) -> None:
        super().__init__()
        self.path = path
        self.record = record

    def forward(self, batch: Mapping[str, Any]) -> Tensor | dict[str, Tensor]:
        """
        Args:
            batch: ``images`` (B, 3, H, W) uint8, of any device; H×W the record's input size, or any where the graph resizes.

        Returns:
            (B, D) float32 on the images' device, or several by name where the graph has several.

        Raises:
            InputError: the images are of another type or size.
        """
        images, record = batch["images"], self.record
        height, width = record.input_size
        if images.dtype != torch.uint8 or (record.preprocessing != "resize" and images.shape[-2:] != (height, width)):
            raise InputError(
                f"{self.path} takes uint8 images of {height}x{width} pixels, got {images.dtype} of "
                f"{images.shape[-2]}x{images.shape[-1]}."
            )
        pixels = images.cpu()
        if record.preprocessing == "none":
            mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (record.pixel_mean, record.pixel_std))
            pixels = pixels.float().sub(mean).div_(deviation)
        features = dict(zip(record.features, (found.to(images.device) for found in self.run(pixels)), strict=True))
        return features if len(features) > 1 else next(iter(features.values()))

    @abstractmethod
    def run(self, pixels: Tensor) -> Sequence[Tensor]:
        """The graph's outputs (B, D) for its input (B, 3, H, W), both on the CPU."""
