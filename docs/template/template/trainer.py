"""Template's training: the shared one, evaluated with the features' norm."""

from __future__ import annotations

from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from torch.utils.data import DataLoader

from template.evaluator import TemplateEvaluator
from vreid_common.engine import Trainer

__all__ = ["TemplateTrainer"]


class TemplateTrainer(Trainer):
    """The shared trainer with ``TemplateEvaluator``."""

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_dir: str | None = None
    ) -> tuple[DataLoader, DatasetEvaluator]:
        loader, num_query = cls.build_test_loader(cfg, dataset_name)
        return loader, TemplateEvaluator(cfg, num_query, output_dir, getattr(loader, "subsets", None))
