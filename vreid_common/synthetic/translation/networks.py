"""UNIT's translator: a variational auto-encoder for each of two domains, with one latent space.

Source: Liu, Breuel, Kautz, "Unsupervised Image-to-Image Translation Networks" (NIPS 2017), Sec. 3 and Appendix A.

Shape shorthand: B images, H × W pixels, C channels and h × w places of a latent code.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.modeling.generative import ResidualBlock

__all__ = ["SOURCE", "TARGET", "Translator", "TranslatorSize"]

SOURCE, TARGET = 0, 1
"""The two domains: images are translated from the first to the second (the paper's X_1 and X_2)."""


@dataclass(frozen=True)
class TranslatorSize:
    """How large the networks are; by default as in the paper.

    Attributes:
        width: channels after the first convolution; each halving of the size doubles them.
        halvings: convolutions that halve height and width, before the residual blocks.
        blocks: residual blocks of each encoder and each decoder.
        shared_blocks: how many of them both domains share, the last of the encoders and the first of the decoders.

    Raises:
        InputError: no such networks can be built.
    """

    width: int = 64
    halvings: int = 2
    blocks: int = 4
    shared_blocks: int = 1

    def __post_init__(self) -> None:
        if self.width < 1 or self.halvings < 0 or not 1 <= self.shared_blocks <= self.blocks:
            raise InputError(
                f"The translator's width is {self.width}, its halvings {self.halvings}, its blocks {self.blocks} and its "
                f"shared blocks {self.shared_blocks}: use a width of 1 or more, 0 or more halvings, and share 1 to all of "
                "the blocks."
            )

    @property
    def multiple(self) -> int:
        """Heights and widths of images have to be multiples of this."""
        return 2**self.halvings

    @property
    def latent_channels(self) -> int:
        """C."""
        return self.width * 2**self.halvings

    def check(self, height: int, width: int) -> None:
        """Raises an ``InputError`` where images of this size cannot be translated."""
        for side in (height, width):
            if side < 2 * self.multiple or side % self.multiple:  # one place alone has no instance statistics
                raise InputError(
                    f"Images of {height}x{width} pixels cannot be translated: with {self.halvings} halvings both sides have "
                    f"to be multiples of {self.multiple}, and at least {2 * self.multiple}."
                )


class Translator(nn.Module):
    """Two encoders E_1, E_2 and two decoders G_1, G_2, with the weights nearest the latent space shared.

    Images are (B, 3, H, W), -1 to 1. Convolutions outside the residual blocks have no normalisation, as in the authors' code,
    so that colours get through. Deviation: kernels of transposed convolutions are 4 wide, a multiple of their stride, for an
    even pattern.

    Args:
        size: how large the networks are.
    """

    def __init__(self, size: TranslatorSize | None = None) -> None:
        super().__init__()
        self.size = size or TranslatorSize()
        channels, own = self.size.latent_channels, self.size.blocks - self.size.shared_blocks
        self.encoders = nn.ModuleList(nn.Sequential(*self._front(), *_blocks(channels, own)) for _ in range(2))
        self.shared_encoder = nn.Sequential(*_blocks(channels, self.size.shared_blocks))
        self.shared_decoder = nn.Sequential(*_blocks(channels, self.size.shared_blocks))
        self.decoders = nn.ModuleList(nn.Sequential(*_blocks(channels, own), *self._back()) for _ in range(2))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)
                nn.init.zeros_(module.bias)

    def encode(self, images: Tensor, domain: int) -> Tensor:
        """The mean (B, C, h, w) of the images' codes: E(x) = N(mean, I).

        Raises:
            InputError: H or W is not a multiple of ``size.multiple``.
        """
        self.size.check(*images.shape[-2:])
        return self.shared_encoder(self.encoders[domain](images))

    def decode(self, codes: Tensor, domain: int) -> Tensor:
        """Codes (B, C, h, w) → images (B, 3, H, W) of a domain."""
        return self.decoders[domain](self.shared_decoder(codes))

    def forward(self, images: Tensor, source: int = SOURCE, target: int = TARGET) -> Tensor:
        """Images (B, 3, H, W) of the domain ``source`` as images of ``target``, from the mean of their codes: none is drawn."""
        return self.decode(self.encode(images, source), target)

    def _front(self) -> list[nn.Module]:
        layers = [nn.Conv2d(3, self.size.width, 7, padding=3), nn.LeakyReLU(_SLOPE)]
        for halving in range(self.size.halvings):
            channels = self.size.width * 2**halving
            layers += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), nn.LeakyReLU(_SLOPE)]
        return layers

    def _back(self) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for halving in reversed(range(self.size.halvings)):
            channels = self.size.width * 2**halving
            layers += [nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1), nn.LeakyReLU(_SLOPE)]
        return [*layers, nn.Conv2d(self.size.width, 3, 1), nn.Tanh()]


_SLOPE = 0.01


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(channels) for _ in range(count)]
