"""Response maps: where in an image the last convolution of D_emb responds (Fig. 8).

Shape shorthand: B images, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from ealn.meta_arch import EALN
from vreid_common.errors import InputError
from vreid_common.features.inference import inference

__all__ = ["response_maps"]

_FLAT = 1e-4
"""A map whose values differ by less than this share of the largest has nothing to say but rounding errors."""


def response_maps(model: EALN, images: Tensor) -> Tensor:
    """The mean over channels of the last feature map with more than one place, at the image's size, from 0 to 1 in each image.

    Args:
        model: the last such output of any part of its backbone is taken, such as VGGM's pool5.
        images: (B, 3, H, W) in [-1, 1].

    Returns:
        (B, H, W) float32; 0 where all responses are the same.

    Raises:
        InputError: there is none, as the images are too small for the backbone.
    """
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _args: Any, output: Tensor) -> None:
        if output.ndim == 4 and output.shape[-2:].numel() > 1:
            seen[:] = [output]

    handles = [module.register_forward_hook(keep) for module in model.backbone.modules()]
    try:
        with inference(model):
            model.embed(images.to(model.device))
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        size = f"{images.shape[-2]}x{images.shape[-1]}"
        raise InputError(f"Images of {size} pixels have no response map: each of the backbone's maps has one place.")
    response = relu(seen[0].float()).mean(dim=1, keepdim=True)
    response = interpolate(response, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    low, high = response.amin(dim=(1, 2), keepdim=True), response.amax(dim=(1, 2), keepdim=True)
    return torch.where(high - low > _FLAT * high, (response - low) / (high - low), 0)
