"""The image discriminators D_rf, D_A and D_B: a score for each patch of an image.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), Sec. 3.2.2.

Shape shorthand: B images, H × W pixels, h × w patches.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.modeling.generative import initialize_normal

__all__ = ["PatchDiscriminator", "PatchDiscriminatorSize"]

_LARGEST = 8
"""Channels grow from the first layer's to so many times as many."""


@dataclass(frozen=True)
class PatchDiscriminatorSize:
    """How large a discriminator is; by default the 70×70 PatchGAN.

    Attributes:
        width: channels of the first layer; each further layer doubles them, up to eight times as many.
        layers: convolutions that halve height and width; one that does not follows.

    Raises:
        InputError: no such network can be built.
    """

    width: int = 64
    layers: int = 3

    def __post_init__(self) -> None:
        if min(self.width, self.layers) < 1:
            raise InputError(f"EALN.DISCRIMINATOR has WIDTH {self.width} and LAYERS {self.layers}: use 1 or more of both.")

    def check(self, height: int, width: int) -> None:
        """Raises an ``InputError`` where nothing that can be normalised would be left of an image of this size."""
        least = 3 * 2**self.layers
        if min(height, width) < least:
            raise InputError(
                f"EALN.DISCRIMINATOR.LAYERS {self.layers} cannot be applied to images of {height}x{width} pixels: both sides "
                f"of INPUT.SIZE_TRAIN have to be at least {least}."
            )


class PatchDiscriminator(nn.Module):
    """C64-C128-C256-C512 and a convolution to one channel: 4×4 kernels, instance normalisation but in the first, LeakyReLU 0.2.

    Args:
        size: how large it is.
    """

    def __init__(self, size: PatchDiscriminatorSize | None = None) -> None:
        super().__init__()
        size = size or PatchDiscriminatorSize()
        layers: list[nn.Module] = [nn.Conv2d(3, size.width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        before = size.width
        for number in range(1, size.layers + 1):
            channels = size.width * min(2**number, _LARGEST)
            stride = 1 if number == size.layers else 2
            convolution = nn.Conv2d(before, channels, 4, stride=stride, padding=1)
            layers += [convolution, nn.InstanceNorm2d(channels), nn.LeakyReLU(0.2)]
            before = channels
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, padding=1))
        initialize_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), -1 to 1 → scores (B, 1, h, w), larger is more real; there is no sigmoid."""
        return self.layers(images)
