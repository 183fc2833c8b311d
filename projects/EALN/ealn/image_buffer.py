"""Generated images of earlier iterations for a discriminator.

Source: Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial Training" (CVPR 2017), Sec.
2.3, as CycleGAN has it.

Shape shorthand: S images kept; K new ones; H × W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ImageBuffer"]


class ImageBuffer(nn.Module):
    """Returns each image, or with probability ½ an earlier one, whose place it then takes.

    Its state is part of the model's, so that a resumed training sees the same images. Several processes have one each, of which
    the main process's is saved.

    Args:
        size: S; with 0 images are returned as they are.
        image_size: H, W.
    """

    def __init__(self, size: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, 3, *image_size))
        self._filled = 0

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(K, 3, H, W) → (K, 3, H, W); the first S ever to come are kept and returned."""
        size = len(self.images)
        kept = min(size - self._filled, len(images))
        self.images[self._filled : self._filled + kept] = images[:kept]
        self._filled += kept
        rest = images[kept : kept + size]  # of a batch larger than the buffer, what is left goes by it
        places = torch.randperm(size)[: len(rest)].to(images.device)
        swapped = (torch.rand(len(rest), 1, 1, 1) < 0.5).to(images.device)
        earlier = self.images[places].to(images.dtype)
        self.images[places] = torch.where(swapped, rest, earlier).to(self.images.dtype)
        return torch.cat([images[:kept], torch.where(swapped, earlier, rest), images[kept + size :]])

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self._filled)

    def set_extra_state(self, state: Tensor) -> None:
        self._filled = int(state)
