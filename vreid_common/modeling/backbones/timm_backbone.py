"""timm's convolutional networks as FastReID backbones.

Shape shorthand: B images; C, H, W a feature map.
"""

from __future__ import annotations

import timm
import torch
from fastreid.config import CfgNode
from fastreid.modeling.backbones import BACKBONE_REGISTRY
from timm.layers import convert_sync_batchnorm
from torch import nn

from vreid_common.errors import InputError
from vreid_common.suggestions import did_you_mean
from vreid_common.weights import load_pretrained

__all__ = ["build_timm_backbone"]

_INPUT_SIDE = 96
"""Of the image that a changed stride is tried on: large enough for a stride of 32."""


@BACKBONE_REGISTRY.register()
def build_timm_backbone(cfg: CfgNode) -> nn.Module:
    """timm's network ``MODEL.BACKBONE.TIMM_MODEL`` without its pooling and classifier: (B, 3, H, W) → (B, C, H/s, W/s).

    ``LAST_STRIDE`` 1 keeps the resolution in the last stage that would halve it, as in FastReID's ResNets: its strides become 1
    and nothing is dilated. ``NORM`` is BN or syncBN. Of the other keys only ``PRETRAIN`` and ``PRETRAIN_PATH`` are read;
    ``WITH_IBN`` and the like are properties of the network's name.

    Raises:
        InputError: timm has no such network, its output is no feature map, FEAT_DIM is not its number of channels, its strides
            cannot be changed, or its weights cannot be fetched.
    """
    keys = cfg.MODEL.BACKBONE
    if not timm.is_model(keys.TIMM_MODEL):
        hint = did_you_mean(keys.TIMM_MODEL, timm.list_models()) or "timm.list_models() lists them."
        raise InputError(f"MODEL.BACKBONE.TIMM_MODEL is {keys.TIMM_MODEL!r}, which timm does not have; {hint}")
    if keys.NORM not in ("BN", "syncBN"):
        raise InputError(f"MODEL.BACKBONE.NORM is {keys.NORM!r}: timm's networks have BN or syncBN.")
    network = _create(keys.TIMM_MODEL, keys.PRETRAIN and not keys.PRETRAIN_PATH)
    shape = _output_shape(network)
    if len(shape) != 4:
        raise InputError(f"MODEL.BACKBONE.TIMM_MODEL {keys.TIMM_MODEL} gives {len(shape)}-d output, not a feature map.")
    if shape[1] != keys.FEAT_DIM:
        raise InputError(
            f"MODEL.BACKBONE.FEAT_DIM is {keys.FEAT_DIM}, but {keys.TIMM_MODEL} has {shape[1]} channels: set it so."
        )
    if keys.LAST_STRIDE not in (1, 2):
        raise InputError(f"MODEL.BACKBONE.LAST_STRIDE is {keys.LAST_STRIDE}: use 1 or 2.")
    if keys.LAST_STRIDE == 1:
        _keep_last_resolution(network)
        if _output_shape(network)[2:] != tuple(2 * side for side in shape[2:]):
            raise InputError(f"MODEL.BACKBONE.LAST_STRIDE 1 cannot be had from {keys.TIMM_MODEL}: use 2.")
    if keys.PRETRAIN and keys.PRETRAIN_PATH:
        load_pretrained(network, keys.PRETRAIN_PATH)
    return convert_sync_batchnorm(network) if keys.NORM == "syncBN" else network


def _create(name: str, pretrained: bool) -> nn.Module:
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="")
    except Exception as error:  # of a missing connection, the hub's client raises whatever its HTTP library does
        if not pretrained:
            raise
        raise InputError(
            f"The ImageNet weights of timm's {name} are not to be had ({type(error).__name__}): fetch them elsewhere and name "
            "the file in MODEL.BACKBONE.PRETRAIN_PATH, or set MODEL.BACKBONE.PRETRAIN False to train from scratch."
        ) from error


@torch.no_grad()
def _output_shape(network: nn.Module) -> tuple[int, ...]:
    training = network.training
    shape = tuple(network.eval()(torch.zeros(1, 3, _INPUT_SIDE, _INPUT_SIDE)).shape)
    network.train(training)
    return shape


def _keep_last_resolution(network: nn.Module) -> None:
    """Sets the strides of the last stage that has any to 1. A stage is a part of the network's ``layer4`` or ``blocks``."""
    stages = [*getattr(network, "blocks", ()), *(part for name, part in network.named_children() if name.startswith("layer"))]
    for stage in reversed(stages):
        strided = [part for part in stage.modules() if isinstance(part, nn.Conv2d) and part.stride == (2, 2)]
        for convolution in strided:
            convolution.stride = (1, 1)
        if strided:
            return
