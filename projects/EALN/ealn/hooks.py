"""What changes, and what is drawn, from epoch to epoch."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from fastreid.engine.train_loop import HookBase
from torch import Tensor

from ealn.meta_arch import EALN
from ealn.sheets import draw_generated
from ealn.step import AlternatingStep
from vreid_common.synthetic.translation.sheet import save_sheet

__all__ = ["ReleaseHook", "SheetHook"]

logger = logging.getLogger(__name__)


class ReleaseHook(HookBase):
    """Sets λ_ed of Eq. 14 to 0 in the last epochs (Sec. III-E): generated other views are then no longer pushed away.

    Args:
        step: whose ``view_weight`` it is.
        epochs: how many.
    """

    def __init__(self, step: AlternatingStep, epochs: int) -> None:
        self._step = step
        self._epochs = epochs

    def before_epoch(self) -> None:
        released = self.trainer.epoch >= self.trainer.max_epoch - self._epochs
        if released and self._step.view_weight:
            logger.info("From here on lambda_ed of Eq. 14 is 0, for the last %d epochs.", self._epochs)
        self._step.view_weight = 0.0 if released else self._step.weights.lambda_ed


class SheetHook(HookBase):
    """Draws what is generated from some training images every few epochs and after the last one, as a PNG and in TensorBoard.

    For the main process. Batch statistics, random numbers and modes of the model are left as they are.

    Args:
        model: the generators.
        images: (B, 3, H, W) uint8.
        view_ids: (B,) indices into ``structures.VIEWS``.
        folder: gets ``epoch_0010.png`` and so on.
        period: epochs between two sheets.
    """

    def __init__(self, model: EALN, images: Tensor, view_ids: Tensor, folder: Path, period: int) -> None:
        self._model = model
        self._images, self._view_ids = images, view_ids
        self._folder = folder
        self._period = period

    def after_epoch(self) -> None:
        epochs = self.trainer.epoch + 1
        if epochs % self._period and epochs != self.trainer.max_epoch:
            return
        sheet = draw_generated(self._model, self._images, self._view_ids)
        save_sheet(sheet, self._folder / f"epoch_{epochs:04d}.png")
        self.trainer.storage.put_image("generated", torch.from_numpy(sheet).permute(2, 0, 1))
