"""Pillow's bicubic resizing as two matrix products, which every runtime computes alike, for images of any size.

Shape shorthand: B images; H×W pixels, h×w of the result; n pixels along one side, m of the result's.
"""

import torch
from torch import Tensor

__all__ = ["resize_like_pillow"]

_RADIUS = 2.0
"""Of the bicubic kernel, in pixels of the smaller image."""


def resize_like_pillow(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes as ``PIL.Image.resize`` does with ``BICUBIC``: antialiased, along rows first, whole grey values after each pass.

    ONNX's Resize and torch's interpolate have other kernels or round once, and differ by several grey values. Pillow itself
    computes with 22 bits behind the point, so that rounding may differ by 1; and its version 13 goes along columns first for
    some shapes, which changes pixels where one pass leaves 0..255. An image of the wanted size stays what it is.

    Args:
        images: (B, 3, H, W) float32, 0..255; H and W may be symbols of ``torch.export``.
        size: (h, w).

    Returns:
        (B, 3, h, w) float32 whole numbers, 0..255.
    """
    height, width = size
    along_rows = (images @ _weights(images.shape[-1], width, images).T).round().clamp(0, 255)
    return (_weights(images.shape[-2], height, images) @ along_rows).round().clamp(0, 255)


def _weights(n: int, m: int, like: Tensor) -> Tensor:
    """(m, n): what each pixel adds to each pixel of the result; rows add up to 1."""
    pixels = torch.arange(n, device=like.device, dtype=torch.float32)
    scale = (pixels[-1] + 1) / m
    centers = (torch.arange(m, device=like.device, dtype=torch.float32) + 0.5) * scale
    distance = (pixels + 0.5 - centers[:, None]).abs() / scale.clamp(min=1)
    # Keys's cubic convolution with a = -0.5, Pillow's.
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = torch.where(distance < 1, near, torch.where(distance < _RADIUS, far, 0.0))
    return weights / weights.sum(dim=1, keepdim=True)
