"""The discriminators, which look at patches of an image at several scales.

Source: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs" (CVPR 2018), Sec. 3.2,
which UNIT's authors took over in their later code.

Shape shorthand: B images, H × W pixels, h × w patches.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from vreid_common.errors import InputError
from vreid_common.modeling.generative import initialize_normal

__all__ = ["DiscriminatorSize", "MultiScaleDiscriminator"]

_LARGEST = 8
"""Channels grow from the first layer's to so many times as many."""


@dataclass(frozen=True)
class DiscriminatorSize:
    """How large a discriminator is.

    Attributes:
        width: channels of the first layer; each further layer doubles them, up to eight times as many.
        layers: convolutions that halve height and width.
        scales: how many copies look at the image, each at half the size of the one before.

    Raises:
        InputError: no such networks can be built.
    """

    width: int = 64
    layers: int = 4
    scales: int = 3

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.scales) < 1:
            raise InputError(
                f"The discriminators' width is {self.width}, their layers {self.layers}, their scales {self.scales}: use 1 "
                "or more."
            )

    def check(self, height: int, width: int) -> None:
        """Raises an ``InputError`` where nothing would be left of an image of this size."""
        least = 2 ** (self.layers + self.scales - 1)
        if min(height, width) < least:
            raise InputError(
                f"Images of {height}x{width} pixels are too small for discriminators of {self.layers} layers at {self.scales} "
                f"scales: both sides have to be at least {least}, or there have to be fewer layers or scales."
            )


class MultiScaleDiscriminator(nn.Module):
    """Scores for the patches of an image at each scale, larger is more real; no normalisation, as in the authors' code.

    Args:
        size: how large it is.
    """

    def __init__(self, size: DiscriminatorSize | None = None) -> None:
        super().__init__()
        self.size = size or DiscriminatorSize()
        self.scales = nn.ModuleList(self._patches() for _ in range(self.size.scales))
        initialize_normal(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), -1 to 1 → (B, 1, h, w) for each scale, the finest first.

        Raises:
            InputError: the images are too small for the layers and scales.
        """
        self.size.check(*images.shape[-2:])
        scores = []
        for number, patches in enumerate(self.scales):
            if number:
                images = avg_pool2d(images, 3, stride=2, padding=1, count_include_pad=False)
            scores.append(patches(images))
        return scores

    def _patches(self) -> nn.Sequential:
        layers: list[nn.Module] = []
        before = 3
        for number in range(self.size.layers):
            channels = self.size.width * min(2**number, _LARGEST)
            layers += [nn.Conv2d(before, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            before = channels
        return nn.Sequential(*layers, nn.Conv2d(before, 1, 1))
