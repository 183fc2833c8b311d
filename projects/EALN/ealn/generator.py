"""The generators: an image to an image of the same size.

Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (ECCV 2016), as CycleGAN (Zhu et
al., ICCV 2017) has it.

Shape shorthand: B images, H × W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.modeling.generative import ResidualBlock, initialize_normal

__all__ = ["Generator", "GeneratorSize"]


@dataclass(frozen=True)
class GeneratorSize:
    """How large a generator is; by default as in the paper (Sec. III-E).

    Attributes:
        width: channels after the first convolution; each halving of the size doubles them.
        halvings: convolutions that halve height and width.
        blocks: residual blocks.

    Raises:
        InputError: no such network can be built.
    """

    width: int = 64
    halvings: int = 2
    blocks: int = 9

    def __post_init__(self) -> None:
        if self.width < 1 or min(self.halvings, self.blocks) < 0:
            raise InputError(
                f"EALN.GENERATOR has WIDTH {self.width}, HALVINGS {self.halvings} and BLOCKS {self.blocks}: use a width of 1 "
                "or more, and 0 or more of the others."
            )

    def check(self, height: int, width: int) -> None:
        """Raises an ``InputError`` where images of this size cannot be generated."""
        multiple = 2**self.halvings
        for side in (height, width):
            if side < 2 * multiple or side % multiple:  # one place alone has no instance statistics
                raise InputError(
                    f"EALN.GENERATOR.HALVINGS {self.halvings} cannot be applied to images of {height}x{width} pixels: both "
                    f"sides of INPUT.SIZE_TRAIN and INPUT.SIZE_TEST have to be multiples of {multiple} from {2 * multiple} on."
                )


class Generator(nn.Module):
    """c7s1-64, d128, d256, nine residual blocks, u128, u64, c7s1-3 and tanh, with instance normalisation and no dropout.

    Args:
        size: how large it is.
    """

    def __init__(self, size: GeneratorSize | None = None) -> None:
        super().__init__()
        size = size or GeneratorSize()
        layers = [*_convolution(3, size.width, 7)]
        channels = size.width
        for _ in range(size.halvings):
            layers += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * channels), nn.ReLU()]
            channels *= 2
        layers += [ResidualBlock(channels, "reflect") for _ in range(size.blocks)]
        for _ in range(size.halvings):
            up = nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, nn.InstanceNorm2d(channels // 2), nn.ReLU()]
            channels //= 2
        last = nn.Conv2d(channels, 3, 7, padding=3, padding_mode="reflect")
        self.layers = nn.Sequential(*layers, last, nn.Tanh())
        initialize_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), -1 to 1, to images of that kind; H and W are multiples of 2^halvings."""
        return self.layers(images)


def _convolution(before: int, after: int, kernel: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="reflect")
    return [convolution, nn.InstanceNorm2d(after), nn.ReLU()]
