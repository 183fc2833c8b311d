"""A trained model before it is built: its configuration, its trainer, and what its features depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from fastreid.config import CfgNode
from torch import nn

from vreid_common.engine.trainer import Trainer
from vreid_common.export import OnnxNetwork
from vreid_common.features import file_digest, model_config

__all__ = ["ExportedModel", "ImageModel", "TrainedModel"]


class ImageModel(Protocol):
    """What gives features of images: a checkpoint with its configuration, or an exported file."""

    cfg: CfgNode
    """How images are prepared, read and batched, and where is computed."""

    @property
    def project(self) -> str: ...

    def identity(self) -> dict[str, Any]: ...

    def origin(self) -> dict[str, Any]: ...

    def build(self) -> nn.Module: ...


@dataclass(frozen=True)
class TrainedModel:
    """A configuration, whose MODEL.WEIGHTS is the checkpoint, the trainer that builds it, and the name of its project."""

    cfg: CfgNode
    trainer: type[Trainer]
    project: str = ""

    def identity(self) -> dict[str, Any]:
        """What its features depend on beside the images, as JSON.

        Raises:
            InputError: the checkpoint cannot be read.
        """
        return {"checkpoint": file_digest(self.cfg.MODEL.WEIGHTS), "config": model_config(self.cfg)}

    def origin(self) -> dict[str, Any]:
        """SHA-256 of the checkpoint and of what of the configuration the network is built from, which an exported file keeps;
        and whether features are means with those of the mirror image already.

        Raises:
            InputError: the checkpoint cannot be read.
        """
        identity = self.identity()
        config = hashlib.sha256(json.dumps(identity["config"], sort_keys=True).encode()).hexdigest()
        return {"checkpoint": identity["checkpoint"], "config": config, "flip": False}

    def build(self) -> nn.Module:
        """The model with its weights, on its device.

        Raises:
            InputError: the checkpoint is not that of the model.
        """
        return self.trainer.build_trained_model(self.cfg)


@dataclass(frozen=True)
class ExportedModel:
    """A file of ``vreid export`` in the place of a trained model.

    Attributes:
        cfg: prepares images as the model's own configuration does.
        path: the file.
        network: what runs it.
    """

    cfg: CfgNode
    path: str
    network: OnnxNetwork

    @property
    def project(self) -> str:
        return self.network.record.project

    def identity(self) -> dict[str, Any]:
        """As ``TrainedModel.identity``: two exports of one model are two, as their features may differ by rounding."""
        return {"onnx": file_digest(self.path)}

    def origin(self) -> dict[str, Any]:
        """As ``TrainedModel.origin`` of the model that was exported, and what the graph does."""
        record = self.network.record
        return {"checkpoint": record.checkpoint, "config": record.config, "flip": record.flip}

    def build(self) -> nn.Module:
        return self.network
