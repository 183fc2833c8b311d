"""Embedding expansion (Eq. 4): one feature an image from several models and scales, each of which is kept on disk.

Shape shorthand: N images, Q queries, G gallery images, D feature dimensions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from fastreid.config import CfgNode
from fastreid.utils import comm
from torch import nn

from vreid_common.data import ItemDataset
from vreid_common.engine import Trainer, load_config
from vreid_common.engine.placement import describe_device, memory_format, place_on_device
from vreid_common.engine.project import find_project
from vreid_common.engine.trained_model import TrainedModel
from vreid_common.errors import InputError
from vreid_common.evaluation.precision import evaluation_dtype
from vreid_common.features import Extractor, FeatureGrid, GridModel, image_list_digest, open_grid, transform_identity
from vreid_common.structures import FeatureSet

__all__ = ["Expansion", "is_expanded", "open_expansion"]

logger = logging.getLogger(__name__)

_NOT_THE_NETWORK = ("MODELS", "SCALES", "STORE", "STUDY")
"""Nodes of cfg.DEX on which a model's features do not depend."""


def is_expanded(cfg: CfgNode) -> bool:
    """Whether --eval-only has anything to do that a plain evaluation has not."""
    return bool(cfg.DEX.MODELS.CONFIGS) or list(cfg.DEX.SCALES) != [1.0] or cfg.DEX.STUDY.ENABLED


@dataclass(frozen=True)
class Expansion:
    """The features of a test set by all models and scales.

    Attributes:
        grid: the stores, complete.
        dataset: the N images, queries first.
        num_query: Q.
        subsets: parts of the test set that are evaluated for themselves (``VehicleDataset.subsets``).
        device: where features are to be compared.
    """

    grid: FeatureGrid
    dataset: ItemDataset
    num_query: int
    subsets: dict[str, Sequence[int]]
    device: torch.device

    def images(self, scales: Sequence[float] | None = None) -> FeatureSet:
        """All N images with the L2-normalised sum (Eq. 4) of the features of all models at ``scales`` (None: all).

        Raises:
            InputError: the models' features differ in size, or a store is damaged.
        """
        return FeatureSet.from_items(self.grid.combined(scales).to(self.device), self.dataset.img_items)

    def pair(self, scales: Sequence[float] | None = None) -> tuple[FeatureSet, FeatureSet]:
        """The same, as Q queries and G gallery images."""
        images = self.images(scales)
        return images.select(slice(0, self.num_query)), images.select(slice(self.num_query, None))


@contextmanager
def open_expansion(cfg: CfgNode, trainer: type[Trainer], dataset_name: str) -> Iterator[Expansion]:
    """Extracts what DEX.STORE lacks, each image decoded once for all models and scales; every process has to call it.

    Raises:
        InputError: a model cannot be read, or prepares images otherwise than the run's configuration.
    """
    loader, num_query = trainer.build_test_loader(cfg, dataset_name)
    dataset: ItemDataset = loader.dataset
    device = torch.device(cfg.MODEL.DEVICE)

    def extractor_of(network: nn.Module) -> Extractor:
        return Extractor(
            network,
            device=device,
            batch_size=max(1, cfg.TEST.IMS_PER_BATCH // comm.get_world_size()),
            num_workers=cfg.TEST.NUM_WORKERS,
            amp_dtype=evaluation_dtype(cfg),
            memory_format=memory_format(cfg),
        )

    shared = {
        "transform": transform_identity(cfg),
        "images": image_list_digest(dataset.img_items),
        "amp": str(evaluation_dtype(cfg)),
    }
    models = [
        GridModel(str(model.cfg.MODEL.WEIGHTS), {**_identity(model), **shared}, model.build)
        for model in read_models(cfg, trainer)
    ]
    root = cfg.DEX.STORE or Path(cfg.OUTPUT_DIR) / "features"
    with open_grid(root, models, len(dataset), cfg.DEX.SCALES, flip=cfg.TEST.FLIP.ENABLED) as grid:
        started = time.perf_counter()
        images = grid.fill(dataset, extractor_of)
        logger.info(
            "%s: %d models at scales %s: %d of %d images extracted in %.1f s on %s.",
            dataset_name, len(models), ", ".join(map(str, cfg.DEX.SCALES)), images, len(dataset),
            time.perf_counter() - started, describe_device(device),
        )  # fmt: skip
        yield Expansion(grid, dataset, num_query, getattr(loader, "subsets", None) or {}, device)


def read_models(cfg: CfgNode, trainer: type[Trainer]) -> list[TrainedModel]:
    """The models of DEX.MODELS; without any the run's own, with MODEL.WEIGHTS.

    Raises:
        InputError: one of them cannot be read, or prepares images otherwise than the run's configuration.
    """
    if not cfg.DEX.MODELS.CONFIGS:
        return [TrainedModel(cfg, trainer)]
    models = []
    for file, weights in zip(cfg.DEX.MODELS.CONFIGS, cfg.DEX.MODELS.WEIGHTS, strict=True):
        project = find_project(file)
        own = load_config(project.add_config, file)
        own.MODEL.WEIGHTS, own.MODEL.DEVICE, own.MODEL.CHANNELS_LAST = weights, cfg.MODEL.DEVICE, cfg.MODEL.CHANNELS_LAST
        own = project.trainer.stages(own)[-1].clone()
        own.defrost()
        place_on_device(own)
        if transform_identity(own) != transform_identity(cfg):
            raise InputError(
                f"DEX.MODELS.CONFIGS: {file} prepares images differently from this run (INPUT.SIZE_TEST "
                f"{list(own.INPUT.SIZE_TEST)} and {list(cfg.INPUT.SIZE_TEST)}, INPUT.CROP): all models see the same images."
            )
        models.append(TrainedModel(own, project.trainer))
    return models


def _identity(model: TrainedModel) -> dict[str, object]:
    """What the network's features depend on: a changed study or pipeline extracts nothing anew."""
    identity = model.identity()
    dex = identity["config"].get("DEX", {})
    for name in _NOT_THE_NETWORK:
        dex.pop(name, None)
    return identity
