"""Trying a configuration's model before anything is read: it is built without memory, and its backbone shown empty images."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.layers import pooling
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone
from torch import Tensor, nn

from vreid_common.config import invalid, stated
from vreid_common.errors import InputError

__all__ = ["check_model"]

# Of what these pool they take the first cell, whatever there is beside it.
_POOLING_HEADS = ("EmbeddingHead", "ClasHead", "BNDropoutHead")


def check_model(cfg: CfgNode) -> None:
    """Builds the model once, so that its parts refuse what they cannot use, and looks at what the backbone gives.

    On torch's meta device, where tensors have shapes and no values, this takes a tenth of a second. What cannot be built there
    is built on the CPU, which also has the last word on a failure.

    Raises:
        InputError: from the part that refuses; or naming the keys that the model is built from; MODEL.BACKBONE.FEAT_DIM is not
            the number of channels that the backbone gives; the backbone cannot take images of INPUT.SIZE_TRAIN or SIZE_TEST.
    """
    if "Distill" in cfg.MODEL.META_ARCHITECTURE:
        return  # reads its teachers' checkpoints
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.NUM_CLASSES = 1  # known only once the data set is read
    cfg.MODEL.WEIGHTS = "none"  # a model that builds on another one's checkpoint need not have it yet
    _on_some_device(cfg, build_model, "", "The model that the keys of MODEL ask for cannot be built")
    _check_backbone(cfg, "INPUT.CROP.SIZE" if cfg.INPUT.CROP.ENABLED else "INPUT.SIZE_TRAIN", cfg.INPUT.SIZE_TRAIN)
    if not cfg.INPUT.CROP.ENABLED and list(cfg.INPUT.SIZE_TEST) != list(cfg.INPUT.SIZE_TRAIN):
        _check_backbone(cfg, "INPUT.SIZE_TEST", cfg.INPUT.SIZE_TEST)


def _check_backbone(cfg: CfgNode, size_key: str, size: Sequence[int]) -> None:
    height, width = cfg.INPUT.CROP.SIZE if cfg.INPUT.CROP.ENABLED else size

    def shapes(cfg: CfgNode) -> tuple[torch.Size, torch.Size] | None:
        """Of the backbone's output, and of what the pooling makes of it; None of what is no feature map."""
        backbone: nn.Module = build_backbone(cfg).eval()
        pool = getattr(pooling, cfg.MODEL.HEADS.POOL_LAYER)()
        with torch.no_grad():
            given = backbone(torch.zeros(1, 3, height, width))
            return (given.shape, pool(given).shape) if isinstance(given, Tensor) and given.ndim == 4 else None

    found = _on_some_device(cfg, shapes, size_key, f"{cfg.MODEL.BACKBONE.NAME} cannot take such images")
    if found is None:
        return
    (_, channels, *_), pooled = found
    if channels != cfg.MODEL.BACKBONE.FEAT_DIM:
        named = f"{cfg.MODEL.BACKBONE.NAME}, with {stated(cfg, 'MODEL.BACKBONE.DEPTH')},"
        raise invalid(cfg, "MODEL.BACKBONE.FEAT_DIM", f"{named} gives {channels} channels, so set it to {channels}")
    if cfg.MODEL.HEADS.NAME in _POOLING_HEADS and tuple(pooled) != (1, channels, 1, 1):
        given = "x".join(map(str, pooled[1:]))
        raise invalid(cfg, "MODEL.HEADS.POOL_LAYER", f"it gives {given}, and the head takes {channels}x1x1")


def _on_some_device(cfg: CfgNode, make: Callable[[CfgNode], Any], key: str, problem: str) -> Any:
    """``make(cfg)`` on the meta device, else on the CPU; what fails on both is the configuration's fault."""
    try:
        return _on("meta", cfg, make)
    except Exception:
        try:
            return _on("cpu", cfg, make)
        except InputError:
            raise
        except Exception as error:
            said = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").strip()[:300]
            raise (invalid(cfg, key, f"{problem} ({said})") if key else InputError(f"{problem} ({said}).")) from error


def _on(device: str, cfg: CfgNode, make: Callable[[CfgNode], Any]) -> Any:
    cfg.MODEL.DEVICE = device
    with torch.random.fork_rng(devices=[]), torch.device(device):
        return make(cfg)
