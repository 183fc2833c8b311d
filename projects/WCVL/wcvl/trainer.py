"""WCVL's training: the main module first, then the module that is plugged into it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from fastreid.utils import comm
from torch import nn
from torch.utils.data import DataLoader

from vreid_common.config import take_group
from vreid_common.engine import Trainer
from vreid_common.engine.resume_rules import RESUME_RULES, ResumeRule, ResumeRules
from vreid_common.engine.trainer import Evaluations
from vreid_common.evaluation import metrics_table
from wcvl.cost import describe, measure
from wcvl.evaluator import WCVLEvaluator
from wcvl.meta_arch import WCVL

__all__ = ["WCVLTrainer"]

logger = logging.getLogger(__name__)

_COMPARED = ("mAP", "Rank-1", "Rank-5", "CSC")


class WCVLTrainer(Trainer):
    """Trains the main module and then WCVL in one command, or WCVL alone where a main module's checkpoint is given."""

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        model = self.checkpointer.model
        if isinstance(model, WCVL) and comm.is_main_process():
            logger.info("Cost of the cross-view module:\n%s", describe(measure(model, tuple(cfg.INPUT.SIZE_TEST))))

    @classmethod
    def stages(cls, cfg: CfgNode) -> list[CfgNode]:
        """First the main module in OUTPUT_DIR/main, then the cross-view module in OUTPUT_DIR/wcvl.

        It is one run in OUTPUT_DIR when a checkpoint is given (WCVL.MAIN.WEIGHTS, or MODEL.WEIGHTS for both modules),
        end-to-end, or when the meta-architecture is not WCVL.
        """
        if cfg.MODEL.META_ARCHITECTURE != "WCVL" or cfg.WCVL.END_TO_END:
            return [cfg]
        if cfg.WCVL.MAIN.WEIGHTS or cfg.MODEL.WEIGHTS:
            return [_module_stage(cfg)]
        main = _main_stage(cfg)
        return [main, _module_stage(cfg, main)]

    @classmethod
    def resume_rules(cls, cfg: CfgNode) -> ResumeRules:
        """A run reads what its stage does: the main module's nothing of WCVL, WCVL's no key of SOLVER that WCVL.SOLVER has."""
        if cfg.MODEL.META_ARCHITECTURE != "WCVL":
            return {**RESUME_RULES, "WCVL.": ResumeRule.UNREAD}
        rules = {**RESUME_RULES, "WCVL.FEATURES": ResumeRule.MEASURE}
        if cfg.WCVL.END_TO_END:
            return {**rules, "WCVL.SOLVER.": ResumeRule.UNREAD}
        replaced = dict.fromkeys((f"SOLVER.{key}" for key in cfg.WCVL.SOLVER), ResumeRule.UNREAD)
        return {**rules, **replaced, "WCVL.SOLVER.MAX_EPOCH": ResumeRule.LENGTH}

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_dir: str | None = None
    ) -> tuple[DataLoader, DatasetEvaluator]:
        loader, num_query = cls.build_test_loader(cfg, dataset_name)
        return loader, WCVLEvaluator(cfg, num_query, output_dir, getattr(loader, "subsets", None))

    @classmethod
    def test_all(cls, cfg: CfgNode, model: nn.Module, evaluations: Evaluations | None = None) -> dict[str, Any]:
        results = super().test_all(cfg, model, evaluations)
        if cfg.MODEL.META_ARCHITECTURE == "WCVL" and len(cfg.WCVL.FEATURES) > 1 and comm.is_main_process():
            for name, metrics in results.items():
                logger.info("%s, the main module alone and with the cross-view module:\n%s", name, compare(cfg, metrics))
        return results


def compare(cfg: CfgNode, metrics: dict[str, float]) -> str:
    """A table with a line for each feature of WCVL.FEATURES, the main module alone on top.

    Args:
        cfg: WCVL.FEATURES is read.
        metrics: an evaluation's; the first feature's under plain keys, the others' under ``name/key``.
    """
    first, *others = cfg.WCVL.FEATURES
    prefix = {first: "", **{name: f"{name}/" for name in others}}
    names = sorted(prefix, key=lambda name: name != "main")  # stable: the others stay in the config's order
    labels = {"main": "main module alone", "global": "x_g", "cv": "x_cv"}
    rows = {labels.get(name, f"main + WCVL ({name})"): _of_feature(metrics, prefix[name]) for name in names}
    return metrics_table(rows)


def _of_feature(metrics: dict[str, float], prefix: str) -> dict[str, float]:
    return {key: metrics[prefix + key] for key in _COMPARED if prefix + key in metrics}


def _main_stage(cfg: CfgNode) -> CfgNode:
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.META_ARCHITECTURE = cfg.WCVL.MAIN.META_ARCHITECTURE
    # WCVL normalises the main module's features; by themselves they are ranked the same way with the cosine.
    cfg.TEST.METRIC = "cosine"
    cfg.OUTPUT_DIR = str(Path(cfg.OUTPUT_DIR) / "main")
    cfg.freeze()
    return cfg


def _module_stage(cfg: CfgNode, main: CfgNode | None = None) -> CfgNode:
    """WCVL's run with the schedule of WCVL.SOLVER, on the final checkpoint of the run ``main`` where that comes first."""
    cfg = cfg.clone()
    cfg.defrost()
    take_group(cfg, "WCVL.SOLVER", "SOLVER")
    # These name parts of the main module, which is frozen as a whole.
    cfg.MODEL.FREEZE_LAYERS, cfg.SOLVER.FREEZE_ITERS = [], 0
    if main is not None:
        cfg.WCVL.MAIN.WEIGHTS = str(Path(main.OUTPUT_DIR) / "model_final.pth")
        cfg.OUTPUT_DIR = str(Path(cfg.OUTPUT_DIR) / "wcvl")
    cfg.freeze()
    return cfg
