"""The dry run before the first iteration: all that a training will do, once and in small."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from fastreid.config import CfgNode
from fastreid.utils import comm
from fastreid.utils.events import EventStorage
from torch import nn

from vreid_common.data import DevicePrefetcher, TestLoader, collate
from vreid_common.data.seeding import local_seed
from vreid_common.engine.checkpoint import bytes_of
from vreid_common.engine.placement import memory_format, to_memory_format
from vreid_common.engine.seeding import use_repeatable_kernels
from vreid_common.engine.trainer import Evaluations, Trainer
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator
from vreid_common.evaluation.inference import batch_features
from vreid_common.evaluation.precision import evaluation_dtype
from vreid_common.features.collector import MAIN_FEATURE
from vreid_common.features.inference import inference
from vreid_common.files import describe_bytes, free_bytes

__all__ = ["rehearse"]

logger = logging.getLogger(__name__)

_ALIVE = 2
"""Checkpoints that are on the disk at once at least: the one that is there until the next one is whole."""


def rehearse(trainer: type[Trainer], cfg: CfgNode, earlier: Sequence[str] = ()) -> None:
    """Finds out before the first iteration of a stage what would end it later, when hours of training are lost.

    One training batch goes through a whole step and the first and last image of every test set through the model, whose labels
    have to give what protocol and re-ranking need; the disk has to have room. Model, optimizer and loaders are this function's
    own and hold no weights of a file, and the generators are put back: a training after it is the same to the bit.

    Args:
        trainer: whose methods build the parts.
        cfg: the stage's configuration; weights that an earlier stage will bring need not be there yet.
        earlier: OUTPUT_DIRs of the stages before it; what is read from them need not be there yet either.

    Raises:
        InputError: from whatever refuses.
    """
    started = time.monotonic()
    use_repeatable_kernels(cfg)
    try:
        with _unheard(), local_seed(max(cfg.SEED, 0)), torch.random.fork_rng():
            size = _rehearse(trainer, cfg, earlier)
    except Exception as error:
        error.add_note("This was met in the dry run before the first iteration: nothing was trained.")
        raise
    gc.collect()  # before the training builds its own
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if comm.is_main_process():
        _check_room(cfg, size)
        logger.info(
            "Dry run of %s: a training step, an evaluation batch and the labels of %s are in order (%.1f s).",
            cfg.MODEL.META_ARCHITECTURE, ", ".join(cfg.DATASETS.TESTS) or "no test set", time.monotonic() - started,
        )  # fmt: skip


def _rehearse(trainer: type[Trainer], cfg: CfgNode, earlier: Sequence[str]) -> int:
    """Returns the bytes of a checkpoint."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = "none"  # they are of a later moment: a model that reads them while it is built reads none then
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.SEED = max(cfg.SEED, 0)  # -1 is drawn by the training
    cfg.OUTPUT_DIR = ""  # nothing is written: FastReID saves the configuration with the number of classes
    evaluations = trainer.build_evaluations(cfg)
    loader = trainer.build_train_loader(cfg)
    cfg = trainer.auto_scale_hyperparams(cfg, loader.num_classes)
    device = torch.device(cfg.MODEL.DEVICE)
    model = to_memory_format(cfg, trainer.build_model(cfg))
    optimizer = trainer.build_optimizer(cfg, model)
    trainer.build_lr_scheduler(cfg, optimizer, len(loader))
    step = trainer.build_step(cfg, model, optimizer, device)
    _rehearse_evaluations(cfg, model, evaluations, device, earlier)
    model.train()
    (batch,) = DevicePrefetcher([loader.first_batch()], device, memory_format=memory_format(cfg))
    with EventStorage():
        step.run(batch, 0.0)
    return bytes_of({"model": model.state_dict(), "optimizer": optimizer.state_dict()})


def _rehearse_evaluations(
    cfg: CfgNode, model: nn.Module, evaluations: Evaluations, device: torch.device, earlier: Sequence[str]
) -> None:
    for loader, evaluator in evaluations.values():
        if not isinstance(loader, TestLoader):
            continue  # FastReID's own, which hold no items of ours
        last = len(loader.dataset) - 1
        # As many images as there will be where that may be too much for the device; a CPU would only take longer.
        ends = [loader.dataset[0], loader.dataset[last]] * (max(loader.largest // 2, 1) if device.type == "cuda" else 1)
        (batch,) = DevicePrefetcher([collate(ends)], device, memory_format=memory_format(cfg))
        with inference(model, evaluation_dtype(cfg)):
            features = batch_features(model, batch, cfg.TEST.FLIP.ENABLED)
        if isinstance(evaluator, VehicleEvaluator):
            names = [MAIN_FEATURE] if isinstance(features, torch.Tensor) else list(features)
            evaluator.check(loader.dataset.img_items, names, earlier)


def _check_room(cfg: CfgNode, size: int) -> None:
    free = free_bytes(cfg.OUTPUT_DIR)
    if free < _ALIVE * size:
        raise InputError(
            f"The disk of OUTPUT_DIR {cfg.OUTPUT_DIR} has {describe_bytes(free)} free, and a training needs "
            f"{describe_bytes(_ALIVE * size)} for its checkpoints at least: make room or choose another OUTPUT_DIR."
        )
    # model_final, model_best and model_evaluated beside those of the periods.
    all_of_them = size * (cfg.SOLVER.MAX_EPOCH // cfg.SOLVER.CHECKPOINT_PERIOD + 3)
    if free < all_of_them:
        logger.warning(
            "The disk of OUTPUT_DIR has %s free, and all checkpoints of the run take %s: raise SOLVER.CHECKPOINT_PERIOD (%d).",
            describe_bytes(free), describe_bytes(all_of_them), cfg.SOLVER.CHECKPOINT_PERIOD,
        )  # fmt: skip


@contextmanager
def _unheard() -> Iterator[None]:
    """Keeps back what the training will say again when it builds the same."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
