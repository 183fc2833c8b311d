"""DEx's trainer: FastReID's training, and an evaluation that expands features over models and scales."""

from __future__ import annotations

from typing import Any

from fastreid.config import CfgNode

from dex.evaluation import evaluate_expanded
from dex.expansion import is_expanded
from dex.heads import branch_partitions
from dex.study import check_study
from vreid_common.engine import Trainer
from vreid_common.engine.resume_rules import RESUME_RULES, ResumeRule, ResumeRules
from vreid_common.errors import InputError

__all__ = ["DExTrainer"]


class DExTrainer(Trainer):
    """Trains as ``Trainer`` does. ``--eval-only`` evaluates DEX.MODELS at DEX.SCALES, or prints the study's tables."""

    @classmethod
    def check_config(cls, cfg: CfgNode, *, training: bool) -> None:
        """DEx's own keys as well."""
        super().check_config(cfg, training=training)
        if cfg.MODEL.META_ARCHITECTURE == "PartBased":
            branch_partitions(cfg)
        models = cfg.DEX.MODELS
        if len(models.CONFIGS) != len(models.WEIGHTS):
            raise InputError(
                f"DEX.MODELS has {len(models.CONFIGS)} CONFIGS and {len(models.WEIGHTS)} WEIGHTS: give each model one of both."
            )
        if cfg.DEX.STUDY.ENABLED and not training:
            check_study(cfg)

    @classmethod
    def resume_rules(cls, cfg: CfgNode) -> ResumeRules:
        """Training reads nothing of what --eval-only does with other models and scales."""
        unread = dict.fromkeys(("DEX.MODELS.", "DEX.SCALES", "DEX.STUDY."), ResumeRule.UNREAD)
        return {**RESUME_RULES, **unread, "DEX.TEST_FEATURE": ResumeRule.MEASURE}

    @classmethod
    def checkpoint_to_evaluate(cls, cfg: CfgNode) -> str:
        """The first of DEX.MODELS where there are any."""
        weights = cfg.DEX.MODELS.WEIGHTS
        return weights[0] if weights else super().checkpoint_to_evaluate(cfg)

    @classmethod
    def evaluate(cls, cfg: CfgNode) -> dict[str, Any]:
        if not is_expanded(cfg):
            return super().evaluate(cfg)
        return {name: evaluate_expanded(cfg, cls, name) for name in cfg.DATASETS.TESTS}

    @classmethod
    def evaluation_record(cls, cfg: CfgNode) -> dict[str, Any]:
        """Models and scales; of a study, that its rows are re-ranked each in its own way."""
        if not is_expanded(cfg):
            return {}
        record: dict[str, Any] = {"scales": ", ".join(map(str, cfg.DEX.SCALES))}
        if cfg.DEX.MODELS.CONFIGS:
            record["models"] = ", ".join(cfg.DEX.MODELS.WEIGHTS)
        return record | ({"re-ranking": "as each row says"} if cfg.DEX.STUDY.ENABLED else {})
