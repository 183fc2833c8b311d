"""A backbone as a sequence of parts that can be cut.

Shape shorthand: B images; C, H, W a feature map.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from vreid_common.errors import InputError

__all__ = ["as_sequence"]


def as_sequence(backbone: nn.Module, image_size: tuple[int, int] = (64, 64)) -> dict[str, nn.Module]:
    """The backbone's parts by name, in the order in which it applies them to an image.

    Children are taken in the order of their definition and Sequentials are opened, so FastReID's ResNet is conv1, bn1, relu,
    maxpool, layer1.0, ... layer4.2 and timm's EfficientNet conv_stem, bn1, blocks.0.0, ... That a network does apply them so,
    and does nothing else, is found out by comparing the two on one image.

    Args:
        backbone: maps images (B, 3, H, W) to a feature map (B, C, H', W').
        image_size: height and width in pixels of that image.

    Raises:
        InputError: the backbone is no such sequence, as FastReID's with non-local blocks is not.
    """
    parts = dict(_parts(backbone))
    modes = [(module, module.training) for module in backbone.modules()]
    image = torch.linspace(-2, 2, 3 * image_size[0] * image_size[1]).view(1, 3, *image_size)
    backbone.eval()
    try:
        with torch.no_grad():
            same = torch.equal(_apply(parts, image.clone()), backbone(image))
    except Exception:  # parts of other people's networks raise anything when they are called alone
        same = False
    finally:
        for module, training in modes:
            module.training = training
    if not same:
        raise InputError(
            f"The backbone ({type(backbone).__name__}) cannot be cut: it does not simply apply its parts one after another "
            f"({', '.join(name for name, _ in backbone.named_children())})."
        )
    return parts


def _parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        if type(child) is nn.Sequential:  # a subclass may do more than apply its children
            yield from _parts(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _apply(parts: dict[str, nn.Module], image: torch.Tensor) -> torch.Tensor:
    for part in parts.values():
        image = part(image)
    return image
