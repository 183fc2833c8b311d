"""The evaluation of a model on every test set of a run."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from fastreid.utils import comm
from torch import nn
from torch.utils.data import DataLoader

from vreid_common.data import DevicePrefetcher
from vreid_common.engine.evaluation_report import write_evaluation_report
from vreid_common.engine.placement import memory_format
from vreid_common.engine.results import write_curves
from vreid_common.evaluation import RankingMetrics, VehicleEvaluator, inference_on_dataset
from vreid_common.evaluation.precision import evaluation_dtype
from vreid_common.features.gather import exchange

__all__ = ["Evaluations", "evaluate_sets"]

Evaluations = dict[str, tuple[DataLoader, DatasetEvaluator]]


def evaluate_sets(cfg: CfgNode, model: nn.Module, evaluations: Evaluations) -> dict[str, Any]:
    """{set: {metric: percent}}, empty dicts off the main process, which writes the curves and, where asked for, reports."""
    results: dict[str, Any] = OrderedDict()
    rankings: dict[str, dict[str, RankingMetrics]] = {}
    device = torch.device(cfg.MODEL.DEVICE)
    for name, (loader, evaluator) in evaluations.items():
        results[name] = inference_on_dataset(
            model,
            DevicePrefetcher(loader, device, memory_format=memory_format(cfg)),
            evaluator,
            flip=cfg.TEST.FLIP.ENABLED,
            amp_dtype=evaluation_dtype(cfg),
        )
        rankings[name] = dict(getattr(evaluator, "rankings", {}))
        if cfg.TEST.REPORT and comm.is_main_process() and isinstance(evaluator, VehicleEvaluator):
            write_evaluation_report(cfg, name, evaluator, model)
        evaluator.reset()  # lets go of the features
    if comm.is_main_process():
        write_curves(cfg, rankings)
    exchange(None)  # the others wait here, as long as it takes, and not in the next step of the training
    return results
