"""Running a model over batches for its features: the modes that this needs, and what is shown meanwhile."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from fastreid.utils import comm
from torch import nn
from tqdm import tqdm

__all__ = ["evaluation_mode", "inference", "with_progress"]

logger = logging.getLogger(__name__)

_LOG_SECONDS = 30


@contextmanager
def inference(model: nn.Module, amp_dtype: torch.dtype | None = None) -> Iterator[None]:
    """Evaluation mode, no gradients, and autocast to ``amp_dtype`` (None: the model's own types) on the model's device."""
    parameter = next(model.parameters(), None)
    device_type = "cpu" if parameter is None else parameter.device.type
    autocast = nullcontext() if amp_dtype is None else torch.autocast(device_type, dtype=amp_dtype)
    with evaluation_mode(model), torch.inference_mode(), autocast:
        yield


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


def with_progress(batches: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The batches; on the main process with a progress bar where that writes to a terminal, else with a line now and then."""
    if not comm.is_main_process():
        yield from batches
        return
    total = len(batches) if hasattr(batches, "__len__") else None
    if sys.stderr.isatty():
        yield from tqdm(batches, total=total, desc="features", unit="batch", leave=False)
        return
    shown = time.perf_counter()
    for number, batch in enumerate(batches, start=1):
        yield batch
        if time.perf_counter() - shown >= _LOG_SECONDS:
            shown = time.perf_counter()
            logger.info("Extracting features: batch %d of %s.", number, total or "?")
