"""DSAM's training: the shared one, evaluated with distances within and between identities."""

from __future__ import annotations

from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from torch.utils.data import DataLoader

from dsam.evaluator import DSAMEvaluator
from vreid_common.engine import Trainer

__all__ = ["DSAMTrainer"]


class DSAMTrainer(Trainer):
    """The shared trainer with ``DSAMEvaluator``."""

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_dir: str | None = None
    ) -> tuple[DataLoader, DatasetEvaluator]:
        loader, num_query = cls.build_test_loader(cfg, dataset_name)
        return loader, DSAMEvaluator(cfg, num_query, output_dir, getattr(loader, "subsets", None))
