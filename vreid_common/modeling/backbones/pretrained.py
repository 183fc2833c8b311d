"""Weights of a backbone from a file of FastReID's, torchvision's, timm's or IBN-Net's kind."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from timm.layers.cbam import CbamModule
from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.modeling.weights_file import load_checkpoint_file

__all__ = ["load_pretrained"]

logger = logging.getLogger(__name__)


def load_pretrained(backbone: nn.Module, path: str) -> None:
    """Gives ``backbone`` the weights in a file, which has to fit it.

    The file is a state dict of the network itself, as torchvision, timm and IBN-Net publish them, or a checkpoint of a
    FastReID model, whose backbone is taken. What else it holds, such as a classifier, is left out. CBAM blocks keep their
    initial weights if the file knows nothing of them: ImageNet weights are those of the network without them.

    FastReID loads what fits by name and size and passes over the rest, so that with another network's file it trains from
    scratch unsaid.

    Args:
        backbone: as a builder in FastReID's ``BACKBONE_REGISTRY`` makes it; changed in place.
        path: a file that ``load_checkpoint_file`` reads. Nothing is unpickled but tensors and arrays.

    Raises:
        InputError: there is no such file, it cannot be read, or it lacks a weight of the backbone or has it in another shape.
    """
    if not Path(path).is_file():
        raise InputError(f"MODEL.BACKBONE.PRETRAIN_PATH {path} {'is a folder' if Path(path).is_dir() else 'does not exist'}.")
    state = _of_backbone(load_checkpoint_file(path)["model"])
    own = backbone.state_dict()
    attention = tuple(f"{name}." for name, module in backbone.named_modules() if isinstance(module, CbamModule))
    if attention and not any(key.startswith(attention) for key in state):
        logger.info("%s has no CBAM blocks: they start from their initial weights.", path)
        own = {key: value for key, value in own.items() if not key.startswith(attention)}
    for key, value in own.items():
        if key not in state:
            if key.endswith("num_batches_tracked"):  # files made before PyTorch 0.4.1 have none
                continue
            raise InputError(f"{path} was made for another network: it lacks {key}, one of the backbone's {len(own)} tensors.")
        if state[key].shape != value.shape:
            raise InputError(
                f"{path} was made for another network: {key} has shape {tuple(state[key].shape)} there and "
                f"{tuple(value.shape)} in the backbone that the config builds."
            )
    backbone.load_state_dict({key: state[key] for key in own if key in state}, strict=False)
    logger.info("Pretrained weights of %d tensors from %s.", len(own), path)


def _of_backbone(state: dict[str, object]) -> dict[str, Tensor]:
    """The tensors by the names that they have in the backbone."""
    tensors = {key.removeprefix("module."): torch.as_tensor(value) for key, value in state.items() if hasattr(value, "shape")}
    inside = {key.removeprefix("backbone."): value for key, value in tensors.items() if key.startswith("backbone.")}
    return inside or tensors
