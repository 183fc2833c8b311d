"""EALN's training in the common loop: an alternating step, an optimizer for each part, and two hooks."""

from __future__ import annotations

from pathlib import Path

import torch
from fastreid.config import CfgNode
from fastreid.engine.train_loop import HookBase
from fastreid.utils import comm
from torch import nn

from ealn.checks import check_ealn
from ealn.hooks import ReleaseHook, SheetHook
from ealn.optimizers import PartOptimizers, PartSchedules, build_part_optimizers
from ealn.sheets import choose_items, read_images
from ealn.step import AlternatingStep
from ealn.views import check_view_labels
from vreid_common.data import TrainLoader, build_train_dataset, build_train_loader
from vreid_common.engine import Trainer
from vreid_common.engine.resume_rules import RESUME_RULES, ResumeRule, ResumeRules
from vreid_common.engine.solver import build_lr_scheduler

__all__ = ["EALNTrainer"]


class EALNTrainer(Trainer):
    """Trains D_emb, and the generators and discriminators that the configuration enables."""

    @classmethod
    def check_config(cls, cfg: CfgNode, *, training: bool) -> None:
        """EALN's own keys as well."""
        super().check_config(cfg, training=training)
        check_ealn(cfg, training=training)

    @classmethod
    def resume_rules(cls, cfg: CfgNode) -> ResumeRules:
        return {**RESUME_RULES, "EALN.FEATURES": ResumeRule.MEASURE, "EALN.SHEET_PERIOD": ResumeRule.FREE}

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> TrainLoader:
        """As the common one.

        Raises:
            InputError: EALN.VIEW.ENABLED, and the training images have no view labels.
        """
        dataset = build_train_dataset(cfg)
        if cfg.EALN.VIEW.ENABLED:
            check_view_labels(dataset.img_items)
        return build_train_loader(cfg, dataset)

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> PartOptimizers:
        return build_part_optimizers(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: PartOptimizers, iters_per_epoch: int) -> PartSchedules:
        schedules = {name: build_lr_scheduler(cfg, part, iters_per_epoch) for name, part in optimizer.by_part.items()}
        return PartSchedules(schedules)

    @classmethod
    def build_step(cls, cfg: CfgNode, model: nn.Module, optimizer: PartOptimizers, device: torch.device) -> AlternatingStep:
        # Not wrapped in DistributedDataParallel: each phase sends the gradients of its own parts.
        return AlternatingStep(model, optimizer, cfg, device)

    def build_hooks(self) -> list[HookBase]:
        keys, model = self.cfg.EALN, self.checkpointer.model
        own: list[HookBase] = [ReleaseHook(self._trainer, keys.VIEW.RELEASE_EPOCHS)] if keys.VIEW.ENABLED else []
        if keys.SHEET_PERIOD and model.generators and comm.is_main_process():
            images = read_images(self.cfg, choose_items(self.loader.dataset.img_items))
            own.append(SheetHook(model, *images, Path(self.cfg.OUTPUT_DIR) / "sheets", keys.SHEET_PERIOD))
        return [*own, *super().build_hooks()]
