"""Response maps: where in an image the last convolution of D_emb responds (Fig. 8).

Shape shorthand: B images, H × W pixels.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, relu

from ealn.meta_arch import EALN
from vreid_common.features.inference import inference

__all__ = ["overlay", "response_maps"]


def response_maps(model: EALN, images: Tensor) -> Tensor:
    """The mean over channels of the last convolutional feature map, at the image's size, from 0 to 1 in each image.

    Args:
        model: its ``backbone.features`` (VGGM) or, without that, its ``backbone`` gives the map.
        images: (B, 3, H, W) in [-1, 1].

    Returns:
        (B, H, W) float32; 0 where all responses are the same.
    """
    seen: list[Tensor] = []
    source = getattr(model.backbone, "features", model.backbone)
    handle = source.register_forward_hook(lambda _, __, output: seen.append(output))
    try:
        with inference(model):
            model.embed(images.to(model.device))
    finally:
        handle.remove()
    response = relu(seen[0].float()).mean(dim=1, keepdim=True)
    response = interpolate(response, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    low, high = response.amin(dim=(1, 2), keepdim=True), response.amax(dim=(1, 2), keepdim=True)
    return (response - low) / (high - low).clamp(min=torch.finfo(response.dtype).tiny)


def overlay(image: np.ndarray, response: np.ndarray) -> np.ndarray:
    """A response map in colours over its image, half and half.

    Args:
        image: (H, W, 3) uint8 RGB.
        response: (H, W), 0 to 1.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    colours = 255 * matplotlib.colormaps["jet"](response)[..., :3]
    return (0.5 * image + 0.5 * colours).round().astype(np.uint8)
