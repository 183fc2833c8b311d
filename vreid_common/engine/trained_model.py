"""A trained model before it is built: its configuration, its trainer, and what its features depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastreid.config import CfgNode
from torch import nn

from vreid_common.engine.trainer import Trainer
from vreid_common.features import file_digest, model_config

__all__ = ["TrainedModel"]


@dataclass(frozen=True)
class TrainedModel:
    """A configuration, whose MODEL.WEIGHTS is the checkpoint, and the trainer that builds it."""

    cfg: CfgNode
    trainer: type[Trainer]

    def identity(self) -> dict[str, Any]:
        """What its features depend on beside the images, as JSON.

        Raises:
            InputError: the checkpoint cannot be read.
        """
        return {"checkpoint": file_digest(self.cfg.MODEL.WEIGHTS), "config": model_config(self.cfg)}

    def build(self) -> nn.Module:
        """The model with its weights, on its device.

        Raises:
            InputError: the checkpoint is not that of the model.
        """
        return self.trainer.build_trained_model(self.cfg)
