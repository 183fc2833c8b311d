"""FastReID's reading of checkpoints and of pretrained backbones."""

from __future__ import annotations

import logging
from types import FunctionType
from typing import Any

from torch import nn

from vreid_common.compat.in_place import copy_of, in_place_of
from vreid_common.weights import current_names, load_checkpoint_file, load_pretrained, without_file

__all__ = ["read_checkpoints_safely", "read_files_of_backbones"]

logger = logging.getLogger(__name__)


def read_checkpoints_safely() -> None:
    """A11, B23: NumPy's numbers (a best metric) and .pkl files were refused; earlier releases' names were passed over."""
    from fastreid.utils.checkpoint import Checkpointer, _strip_prefix_if_present

    load_model = Checkpointer._load_model

    def _load_file(self: Checkpointer, f: str) -> dict[str, Any]:
        return load_checkpoint_file(f)

    def _load_model(self: Checkpointer, checkpoint: dict[str, Any]) -> Any:
        state = checkpoint["model"]
        _strip_prefix_if_present(state, "module.")
        checkpoint["model"] = current_names(state, self.model, "The checkpoint")
        return load_model(self, checkpoint)

    Checkpointer._load_file, Checkpointer._load_model = _load_file, _load_model


def read_files_of_backbones() -> None:
    """B25: of a FastReID checkpoint or a {'state_dict'} file in PRETRAIN_PATH nothing was loaded, and training began."""
    from fastreid.modeling.backbones import BACKBONE_REGISTRY

    for builder in BACKBONE_REGISTRY._obj_map.values():
        if isinstance(builder, FunctionType) and builder.__module__.startswith("fastreid."):
            _read_its_file(builder)


def _read_its_file(builder: FunctionType) -> None:
    build = copy_of(builder)

    @in_place_of(builder)
    def build_backbone(cfg: Any) -> nn.Module:
        keys = cfg.MODEL.BACKBONE
        if not (keys.PRETRAIN and keys.PRETRAIN_PATH):
            return build(cfg)
        backbone = build(without_file(cfg))
        load_pretrained(backbone, keys.PRETRAIN_PATH)
        return backbone
