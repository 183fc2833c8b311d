"""Runs a model over a test loader and hands what it returns to an evaluator."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from fastreid.evaluation import DatasetEvaluator
from fastreid.utils import comm
from torch import Tensor, nn
from tqdm import tqdm

from vreid_common.errors import InputError
from vreid_common.evaluation.gather import exchange

__all__ = ["evaluation_mode", "inference_on_dataset"]

logger = logging.getLogger(__name__)

Features = Tensor | Mapping[str, Tensor]

_LOG_SECONDS = 30


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
    start = time.perf_counter()
    images = 0
    with evaluation_mode(model), torch.inference_mode(), _autocast(model, amp_dtype):
        for batch in _shown(loader) if progress and comm.is_main_process() else loader:
            evaluator.process(batch, _features(model, batch, flip))
            images += len(batch["images"])
    seconds = time.perf_counter() - start
    logger.info("Extracted %s features in %.1f s (%.0f images/s on this process).", f"{images:,}", seconds, images / seconds)
    _check_complete(loader, images)
    return evaluator.evaluate() or {}


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Puts ``model`` into eval mode, and afterwards every module into the mode that it was in.

    FastReID calls ``model.train()`` afterwards, which sets frozen batch normalisation going again (fault B6).
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _features(model: nn.Module, batch: Mapping[str, Any], flip: bool) -> Features:
    features = model(batch)
    if not flip:
        return features
    mirrored = model({**batch, "images": batch["images"].flip(dims=(3,))})
    if isinstance(features, Mapping):
        return {name: _mean(feature, mirrored[name]) for name, feature in features.items()}
    return _mean(features, mirrored)


def _mean(first: Tensor, second: Tensor) -> Tensor:
    return (first.float() + second.float()) / 2


def _autocast(model: nn.Module, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    if dtype is None:
        return nullcontext()
    parameter = next(model.parameters(), None)
    return torch.autocast("cpu" if parameter is None else parameter.device.type, dtype=dtype)


def _check_complete(loader: Iterable[Mapping[str, Any]], images: int) -> None:
    dataset = getattr(loader, "dataset", None)
    total = sum(exchange(images))
    if dataset is not None and total != len(dataset):
        raise InputError(f"The test loader gave {total} of the {len(dataset)} images of its data set: mend its sampler.")


def _shown(loader: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    total = len(loader) if hasattr(loader, "__len__") else None
    if sys.stderr.isatty():
        yield from tqdm(loader, total=total, desc="features", unit="batch", leave=False)
        return
    shown = time.perf_counter()
    for number, batch in enumerate(loader, start=1):
        yield batch
        if time.perf_counter() - shown >= _LOG_SECONDS:
            shown = time.perf_counter()
            logger.info("Extracting features: batch %d of %s.", number, total or "?")
