"""The generators and image discriminators that a configuration asks for, by name."""

from __future__ import annotations

from fastreid.config import CfgNode
from torch import nn

from ealn.generator import Generator, GeneratorSize
from ealn.image_buffer import ImageBuffer
from ealn.patch_discriminator import PatchDiscriminator, PatchDiscriminatorSize
from ealn.views import FRONT, REAR

__all__ = ["HARD", "build_buffers", "build_discriminators", "build_generators"]

HARD = "hard"
"""G_hard and D_rf; a view's name stands for the generator of images of that view (G^A, G^B) and its discriminator."""


def _names(cfg: CfgNode) -> list[str]:
    return [HARD] * cfg.EALN.HARD.ENABLED + [FRONT, REAR] * cfg.EALN.VIEW.ENABLED


def build_generators(cfg: CfgNode) -> nn.ModuleDict:
    """Name → generator.

    Raises:
        InputError: EALN.GENERATOR cannot be built, or not be applied to the images.
    """
    keys, names = cfg.EALN.GENERATOR, _names(cfg)
    size = GeneratorSize(keys.WIDTH, keys.HALVINGS, keys.BLOCKS)
    for image_size in (cfg.INPUT.SIZE_TRAIN, cfg.INPUT.SIZE_TEST) if names else ():
        size.check(*image_size)
    return nn.ModuleDict({name: Generator(size) for name in names})


def build_discriminators(cfg: CfgNode) -> nn.ModuleDict:
    """Name → discriminator of what the generator of that name makes.

    Raises:
        InputError: EALN.DISCRIMINATOR cannot be built, or not be applied to the images.
    """
    keys, names = cfg.EALN.DISCRIMINATOR, _names(cfg)
    size = PatchDiscriminatorSize(keys.WIDTH, keys.LAYERS)
    if names:
        size.check(*cfg.INPUT.SIZE_TRAIN)
    return nn.ModuleDict({name: PatchDiscriminator(size) for name in names})


def build_buffers(cfg: CfgNode) -> nn.ModuleDict:
    """Name → buffer between a generator and its discriminator; empty where EALN.BUFFER_SIZE is 0."""
    size, images = cfg.EALN.BUFFER_SIZE, tuple(cfg.INPUT.SIZE_TRAIN)
    return nn.ModuleDict({name: ImageBuffer(size, images) for name in _names(cfg)} if size else {})
