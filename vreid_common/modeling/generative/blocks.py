"""A residual block with instance normalisation, and the usual initial weights.

Shape shorthand: B images; C, H, W a feature map.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ResidualBlock", "initialize_normal"]


class ResidualBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))), (B, C, H, W) → (B, C, H, W), with 3×3 convolutions.

    Args:
        channels: C.
        padding_mode: of the convolutions, as torch names it.
    """

    def __init__(self, channels: int, padding_mode: str = "zeros") -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def initialize_normal(module: nn.Module, std: float = 0.02) -> None:
    """Draws the weights of all convolutions from N(0, std²) and sets their biases to 0 (Radford et al., DCGAN, Sec. 3)."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, std=std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
