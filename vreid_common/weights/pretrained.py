"""Weights of a backbone from a file of FastReID's, torchvision's, timm's or IBN-Net's kind."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from vreid_common.errors import InputError
from vreid_common.weights.file import load_checkpoint_file

__all__ = ["load_pretrained", "without_file"]

logger = logging.getLogger(__name__)

_ADDED_BLOCKS = {
    ("fastreid.layers.se_layer", "SELayer"): "squeeze-and-excitation",
    ("fastreid.layers.non_local", "Non_local"): "non-local",
    ("timm.layers.cbam", "CbamModule"): "CBAM",
}
"""Blocks added to networks that were published without them. By module and class, as importing timm takes seconds."""


def load_pretrained(backbone: nn.Module, path: str) -> None:
    """Gives ``backbone`` the weights in a file, which has to fit it.

    The file is a state dict of the network itself, as torchvision, timm and IBN-Net publish them, or a checkpoint of a
    FastReID model, whose backbone is taken. What else it holds, such as a classifier, is left out. Squeeze-and-excitation,
    non-local and CBAM blocks keep their initial weights if the file knows nothing of them: ImageNet weights are those of the
    network without them. A vision transformer's position embedding is resized to the backbone's grid.

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
    own = backbone.state_dict()
    state = _of_backbone(load_checkpoint_file(path)["model"], own)
    for kind, prefixes in _added_blocks(backbone).items():
        if not any(key.startswith(prefixes) for key in state):
            logger.info("%s has no %s blocks: they start from their initial weights.", path, kind)
            own = {key: value for key, value in own.items() if not key.startswith(prefixes)}
    if "pos_embed" in own and "pos_embed" in state:
        state["pos_embed"] = _resized_positions(state, backbone)
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


def without_file(cfg: CfgNode) -> CfgNode:
    """``cfg`` for a builder that is to leave MODEL.BACKBONE.PRETRAIN_PATH to ``load_pretrained``.

    FastReID's builders would read it, each for files of one kind, and pass over what does not fit.
    """
    if not cfg.MODEL.BACKBONE.PRETRAIN_PATH:
        return cfg
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    return cfg


def _of_backbone(state: dict[str, object], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by the names that they have in the backbone.

    Programs put ``module.``, ``backbone.``, ``module.encoder.`` and the like before them: of the prefixes that the file's
    names have, the one is taken off under which most of the backbone's names are found.
    """
    tensors = {key: torch.as_tensor(value) for key, value in state.items() if hasattr(value, "shape")}
    prefixes = {""} | {".".join(key.split(".")[:depth]) + "." for key in tensors for depth in (1, 2)}
    prefix = max(sorted(prefixes, key=len), key=lambda prefix: sum(prefix + key in tensors for key in own))
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _added_blocks(backbone: nn.Module) -> dict[str, tuple[str, ...]]:
    """The prefixes of the names of each kind's weights."""
    found: dict[str, tuple[str, ...]] = {}
    for name, module in backbone.named_modules():
        kind = _ADDED_BLOCKS.get((type(module).__module__, type(module).__name__))
        if kind:
            found[kind] = (*found.get(kind, ()), f"{name}.")
    return found


def _resized_positions(state: dict[str, Tensor], backbone: nn.Module) -> Tensor:
    """The file's position embedding (1, 1 + tokens, D) for the backbone's grid of patches, as FastReID's builder makes it.

    DeiT's distilled networks have a second token before the grid, which FastReID's has not.
    """
    positions, patches = state["pos_embed"], getattr(backbone, "patch_embed", None)
    if positions.ndim != 3 or not hasattr(patches, "num_x"):
        return positions
    if "dist_token" in state:
        positions = torch.cat([positions[:, :1], positions[:, 2:]], dim=1)
    side = int((positions.shape[1] - 1) ** 0.5)
    if positions.shape == backbone.pos_embed.shape or side**2 != positions.shape[1] - 1:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = nn.functional.interpolate(grid, size=(patches.num_y, patches.num_x), mode="bilinear")
    logger.info("Position embedding resized from %d x %d patches to %d x %d.", side, side, patches.num_y, patches.num_x)
    return torch.cat([positions[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
