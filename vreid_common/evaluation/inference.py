"""Runs a model over a test loader and hands what it returns to an evaluator."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from fastreid.evaluation import DatasetEvaluator
from fastreid.utils import comm
from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.evaluation.evaluator import VehicleEvaluator
from vreid_common.features.gather import exchange
from vreid_common.features.inference import inference, with_progress
from vreid_common.structures import LabelNames, VehicleImage

__all__ = ["batch_features", "inference_on_dataset"]

logger = logging.getLogger(__name__)

Features = Tensor | Mapping[str, Tensor]


def inference_on_dataset(
    model: nn.Module,
    loader: Iterable[Mapping[str, Any]],
    evaluator: DatasetEvaluator,
    *,
    flip: bool = False,
    amp_dtype: torch.dtype | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Evaluates ``model`` on the batches of ``loader``; every process has to call it with its share of them.

    Batches are not changed, and every module is left in the mode (train or eval) that it was in.

    Args:
        model: called with a batch; returns (B, D) features or a dict of them.
        loader: batches, dicts with ``images`` (B, 3, H, W).
        evaluator: what gets each batch with its features.
        flip: average the features of each image and of its mirror image.
        amp_dtype: type to compute in under autocast; None computes in the model's own.
        progress: show a progress bar if the main process writes to a terminal, else a line now and then.

    Returns:
        What ``evaluator.evaluate()`` returns, {} where that is None.

    Raises:
        InputError: the loader has a ``dataset``, and the processes together did not get as many images as that has.
    """
    evaluator.reset()
    _name_images(evaluator, getattr(loader, "dataset", None))
    start = time.perf_counter()
    images = 0
    with inference(model, amp_dtype):
        for batch in with_progress(loader) if progress else loader:
            evaluator.process(batch, batch_features(model, batch, flip))
            images += len(batch["images"])
    seconds = time.perf_counter() - start
    processes = comm.get_world_size()
    share = f", the share of one of {processes} processes" if processes > 1 else ""
    logger.info("Extracted %s features%s in %.1f s (%.0f images/s).", f"{images:,}", share, seconds, images / seconds)
    _check_complete(loader, images)
    return evaluator.evaluate() or {}


def _name_images(evaluator: DatasetEvaluator, dataset: Any) -> None:
    items = getattr(dataset, "img_items", ())
    if isinstance(evaluator, VehicleEvaluator) and all(isinstance(item, VehicleImage) for item in items):
        evaluator.names = LabelNames.of_items(items)


def batch_features(model: nn.Module, batch: Mapping[str, Any], flip: bool) -> Features:
    """What an evaluation takes from the model for a batch: with ``flip`` the mean of its images' and their mirror images'."""
    features = model(batch)
    if not flip:
        return features
    mirrored = model({**batch, "images": batch["images"].flip(dims=(3,))})
    if isinstance(features, Mapping):
        return {name: _mean(feature, mirrored[name]) for name, feature in features.items()}
    return _mean(features, mirrored)


def _mean(first: Tensor, second: Tensor) -> Tensor:
    return (first.float() + second.float()) / 2


def _check_complete(loader: Iterable[Mapping[str, Any]], images: int) -> None:
    dataset = getattr(loader, "dataset", None)
    total = sum(exchange(images))
    if dataset is not None and total != len(dataset):
        raise InputError(f"The test loader gave {total} of the {len(dataset)} images of its data set: mend its sampler.")
