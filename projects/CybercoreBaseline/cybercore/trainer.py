"""Cybercore's training: a label chosen by the config, a frozen backbone at first, an adaptive loss weight."""

from __future__ import annotations

import logging

from fastreid.config import CfgNode
from fastreid.engine.train_loop import HookBase
from fastreid.evaluation import DatasetEvaluator
from fastreid.modeling.meta_arch import Baseline
from fastreid.utils import comm
from torch.utils.data import DataLoader

from cybercore.checks import check_cybercore
from cybercore.cost import describe, measure
from cybercore.labels import with_label
from cybercore.loss_weight import AdaptiveLossWeight, AdaptiveLossWeightHook
from cybercore.members import features_folder, split_into_stages
from vreid_common.data import TrainLoader, build_train_dataset, build_train_loader
from vreid_common.engine import Trainer, hooks
from vreid_common.engine.resume_rules import RESUME_RULES, ResumeRule, ResumeRules

__all__ = ["CybercoreTrainer"]

logger = logging.getLogger(__name__)


class CybercoreTrainer(Trainer):
    """Trains a vehicle, orientation or camera model (CYBERCORE.LABEL), after those of CYBERCORE.MEMBERS if there are any.

    Test images keep the labels of vehicles: an orientation or camera model is evaluated as the others are, and its mAP says how
    much of a vehicle's identity it sees, which should be little.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        model = self.checkpointer.model
        if isinstance(model, Baseline) and comm.is_main_process():
            logger.info("Cost of embedding one image:\n%s", describe(measure(model, tuple(cfg.INPUT.SIZE_TEST))))

    @classmethod
    def stages(cls, cfg: CfgNode) -> list[CfgNode]:
        """The members' runs, then the vehicle model's; see ``split_into_stages``."""
        return split_into_stages(cfg)

    @classmethod
    def check_config(cls, cfg: CfgNode, *, training: bool) -> None:
        """Cybercore's own keys as well."""
        super().check_config(cfg, training=training)
        check_cybercore(cfg, training=training)

    @classmethod
    def resume_rules(cls, cfg: CfgNode) -> ResumeRules:
        return {**RESUME_RULES, "CYBERCORE.SAVE_FEATURES": ResumeRule.FREE}

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> TrainLoader:
        return build_train_loader(cfg, with_label(build_train_dataset(cfg), cfg.CYBERCORE.LABEL))

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_dir: str | None = None
    ) -> tuple[DataLoader, DatasetEvaluator]:
        if output_dir is None and cfg.CYBERCORE.SAVE_FEATURES:
            output_dir = str(features_folder(cfg, dataset_name))
        return super().build_evaluator(cfg, dataset_name, output_dir)

    def build_hooks(self) -> list[HookBase]:
        cfg, model = self.cfg.CYBERCORE, self.checkpointer.model
        own: list[HookBase] = []
        if cfg.MALW.ENABLED:
            weight = AdaptiveLossWeight(cfg.MALW.PERIOD, cfg.MALW.MOMENTUM)
            self.checkpointer.checkpointables["loss_weight"] = weight
            own.append(AdaptiveLossWeightHook(weight, model))
        if cfg.FREEZE_EPOCHS:
            own.append(hooks.FreezeHook(model, ["backbone"], cfg.FREEZE_EPOCHS * self.iters_per_epoch))
        return [*own, *super().build_hooks()]
