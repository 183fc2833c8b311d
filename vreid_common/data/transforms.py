"""Augmentation and resizing, from FastReID's ``cfg.INPUT`` keys.

Every random choice is drawn from torch's global generator, which the data set seeds for each image.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torchvision.transforms as T
from fastreid.config import CfgNode
from torch import Tensor

from vreid_common.errors import InputError

__all__ = ["Compose", "RandomPatch", "build_transforms"]

_BICUBIC = T.InterpolationMode.BICUBIC
_GREY = (128, 128, 128)


class Compose(T.Compose):
    """Transforms one after the other, and how large an image has to be decoded for them.

    Args:
        transforms: as torchvision's.
        decode_size: longest side that they shrink every image to; None where they keep an image's own size or shape. With a
            JPEG it decides pixels (see ``read_image``), so it travels with the transforms.
    """

    def __init__(self, transforms: Sequence[Callable], decode_size: int | None = None) -> None:
        super().__init__(transforms)
        self.decode_size = decode_size


def build_transforms(cfg: CfgNode, is_train: bool) -> Compose:
    """Transform of an RGB image into a (3, H, W) uint8 Tensor, in FastReID's order and with its parameters.

    Differences from FastReID: AutoAugment is the ImageNet policy of its paper (FastReID's is a variant from TPU code);
    random erasing rounds ``REA.VALUE`` to whole grey values; the patch of ``RPT`` comes from the image itself
    (see ``RandomPatch``); after a crop, padding crops back to the size of that crop.

    Raises:
        InputError: a value of ``cfg.INPUT`` cannot be used.
    """
    keys = cfg.INPUT
    size = _size(keys.SIZE_TRAIN if is_train else keys.SIZE_TEST)
    crop = _size(keys.CROP.SIZE) if keys.CROP.ENABLED else None
    decode_size = max(size) if isinstance(size, list) else None
    resize = [T.Resize(size, _BICUBIC)] if size else []
    if not is_train:
        return Compose([*resize, *([T.CenterCrop(crop)] if crop else []), T.PILToTensor()], decode_size)

    steps: list = []
    if keys.AUTOAUG.ENABLED:
        auto_augment = T.AutoAugment(interpolation=T.InterpolationMode.BILINEAR, fill=list(_GREY))
        steps.append(T.RandomApply([auto_augment], p=keys.AUTOAUG.PROB))
    steps.extend(resize)
    if crop:
        steps.append(T.RandomResizedCrop(crop, scale=keys.CROP.SCALE, ratio=keys.CROP.RATIO, interpolation=_BICUBIC))
    if keys.PADDING.ENABLED:
        if not (crop or size):
            raise InputError("INPUT.PADDING.ENABLED crops back to INPUT.SIZE_TRAIN: give it a size above 0.")
        steps += [T.Pad(keys.PADDING.SIZE, padding_mode=keys.PADDING.MODE), T.RandomCrop(crop or size)]
    if keys.FLIP.ENABLED:
        steps.append(T.RandomHorizontalFlip(keys.FLIP.PROB))
    if keys.CJ.ENABLED:
        jitter = T.ColorJitter(keys.CJ.BRIGHTNESS, keys.CJ.CONTRAST, keys.CJ.SATURATION, keys.CJ.HUE)
        steps.append(T.RandomApply([jitter], p=keys.CJ.PROB))
    if keys.AFFINE.ENABLED:
        steps.append(T.RandomAffine(degrees=10, scale=(0.9, 1.1), shear=0.1))
    if keys.AUGMIX.ENABLED:
        # FastReID draws each operation's strength from 0.1-1 of 10 levels; torchvision's severity 2 from levels 0 and 1.
        aug_mix = T.AugMix(severity=2, mixture_width=3, chain_depth=1, alpha=0.1, all_ops=False)
        steps.append(T.RandomApply([aug_mix], p=keys.AUGMIX.PROB))
    steps.append(T.PILToTensor())
    if keys.REA.ENABLED:
        steps.append(T.RandomErasing(p=keys.REA.PROB, value=_fill_value(keys.REA.VALUE)))
    if keys.RPT.ENABLED:
        steps.append(RandomPatch(keys.RPT.PROB))
    return Compose(steps, decode_size)


class RandomPatch:
    """Occlusion by a patch of vehicle-like texture, pasted at a random place and mirrored with probability 1/2.

    The patch is copied from another place of the same image. In Zhou et al., "Omni-Scale Feature Learning for Person
    Re-Identification" (ICCV 2019) and FastReID it comes from a pool of earlier images, which differs from worker to worker
    and so cannot be repeated. Patch sizes are those of the paper: 1-50% of the area, height to width 0.1-10.

    Args:
        probability: share of images that get a patch.
    """

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, image: Tensor) -> Tensor:
        """(C, H, W) -> a new (C, H, W), or the image itself where nothing is pasted."""
        if torch.rand(()) >= self.probability:
            return image
        patch_size = self._patch_size(*image.shape[-2:])
        if patch_size is None:
            return image
        patch = _window(image, *patch_size).clone()
        if torch.rand(()) < 0.5:
            patch = patch.flip(-1)
        patched = image.clone()
        _window(patched, *patch_size).copy_(patch)
        return patched

    @staticmethod
    def _patch_size(height: int, width: int) -> tuple[int, int] | None:
        for _ in range(100):
            area = height * width * _uniform(0.01, 0.5)
            aspect = _uniform(0.1, 10)
            size = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < size[0] < height and 0 < size[1] < width:
                return size
        return None  # the image has too few pixels for any patch


def _window(image: Tensor, height: int, width: int) -> Tensor:
    """View of a random (C, height, width) part of the image."""
    top = int(torch.randint(image.shape[-2] - height + 1, ()))
    left = int(torch.randint(image.shape[-1] - width + 1, ()))
    return image[..., top : top + height, left : left + width]


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _size(size: list[int]) -> list[int] | int | None:
    """FastReID's sizes: [height, width]; [shorter side]; nothing where the first is not positive."""
    if len(size) not in (1, 2):
        raise InputError(f"A size of INPUT is {list(size)}: write [height, width].")
    if size[0] <= 0:
        return None
    return size[0] if len(size) == 1 else list(size)


def _fill_value(value: list[float] | float) -> list[int] | int:
    values = value if isinstance(value, (list, tuple)) else [value]
    if len(values) not in (1, 3) or not all(isinstance(v, (int, float)) and 0 <= v <= 255 for v in values):
        raise InputError(f"INPUT.REA.VALUE is {value!r}: give one or three numbers between 0 and 255.")
    return [round(v) for v in values] if len(values) == 3 else round(values[0])
