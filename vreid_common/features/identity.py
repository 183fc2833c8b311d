"""What extracted features depend on, as JSON: the store's key."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from fastreid.config import CfgNode

from vreid_common.data import ImageReadError, build_transforms
from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage

__all__ = ["file_digest", "image_list_digest", "model_config", "transform_identity"]

# Sections and keys that say nothing about the network, but about data, training, ranking, and where and how fast it runs.
_OTHER_SECTIONS = (
    "CUDNN_BENCHMARK", "DATALOADER", "DATASETS", "DETERMINISTIC", "DISTRIBUTED", "INPUT", "KD", "OUTPUT_DIR", "PROJECT",
    "RERANK", "SEED", "SOLVER", "TEST",
)  # fmt: skip
_OTHER_MODEL_KEYS = ("CHANNELS_LAST", "DEVICE", "FREEZE_LAYERS", "LOSSES", "QUEUE_SIZE", "WEIGHTS")


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, which a checkpoint is known by, wherever it lies.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read the checkpoint {path}: {error.strerror}.") from error


def image_list_digest(items: Sequence[VehicleImage]) -> str:
    """SHA-256 of the images' paths, sizes and times of change, in their order.

    Contents are not read, which would take about as long as extracting: an image that is replaced by another of the same size
    with its time set back goes unnoticed. Labels do not count, as features do not depend on them.

    Raises:
        ImageReadError: there is no such image.
    """
    digest = hashlib.sha256()
    for item in items:
        try:
            status = os.stat(item.path)  # noqa: PTH116 - a Path a file costs more than the call
        except OSError as error:
            raise ImageReadError(f"Cannot read the image {item.path}: {error.strerror}.") from error
        digest.update(f"{item.path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def model_config(cfg: CfgNode) -> dict[str, Any]:
    """The part of a configuration that the network is built from: MODEL and a project's own keys."""
    kept = cfg.clone()
    kept.defrost()
    for name in _OTHER_SECTIONS:
        kept.pop(name, None)
    for name in _OTHER_MODEL_KEYS:
        kept.MODEL.pop(name, None)
    return yaml.safe_load(kept.dump())


def transform_identity(cfg: CfgNode) -> str:
    """How a configuration prepares test images; two that give the same text see the same pixels."""
    transforms = build_transforms(cfg, is_train=False)
    return f"{transforms} decoded for {transforms.decode_size}"
