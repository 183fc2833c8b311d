"""``TEST.REPORT``: the report after an evaluation."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from fastreid.config import CfgNode
from torch import nn

from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator
from vreid_common.report.activation_pairs import ActivationPair, Looker, choose_pairs, draw_pairs
from vreid_common.report.analysis import Amounts, Analysis, analyse
from vreid_common.report.page import Page, now, write_page
from vreid_common.report.ranking import Ranking

__all__ = ["write_evaluation_report"]

logger = logging.getLogger(__name__)

_PAIRS = 6


def write_evaluation_report(
    cfg: CfgNode, dataset_name: str, evaluator: VehicleEvaluator, model: nn.Module | None = None
) -> None:
    """Writes OUTPUT_DIR/report_<test set>.html, on the main process, after ``evaluator.evaluate()`` and before its ``reset``.

    Its rankings are those of each feature that was evaluated by itself, with the config's re-ranking and with each of
    ``RERANK.COMPARE``, of the whole test set. What is ranked is ranked anew: an evaluation keeps no distances.

    Args:
        cfg: the run's configuration.
        dataset_name: the test set's.
        evaluator: what evaluated it.
        model: the model, for activation maps; None draws none.
    """
    device = torch.device(cfg.MODEL.DEVICE)
    further = {name: (query.to(device), gallery.to(device)) for name, (query, gallery) in evaluator.further.items()}
    rankings = [
        Ranking(_ranking_name(evaluator, name, label), pipeline, query.to(device), gallery.to(device), further)
        for name, (query, gallery) in evaluator.evaluated.items()
        for label, pipeline in evaluator.pipelines.items()
    ]
    if not rankings:
        return
    analysis = analyse(rankings, evaluator.protocol, Amounts())
    held_out = cfg.DATASETS.VALIDATION.NUM_IDS
    settings = {
        "test set": f"{dataset_name}{f', validation split of {held_out} training identities' if held_out else ''}",
        "checkpoint": cfg.MODEL.WEIGHTS,
        "run": cfg.OUTPUT_DIR,
        "protocol": f"{cfg.TEST.PROTOCOL}: {evaluator.protocol.description}",
        "metric": evaluator.metric,
    }
    page = Page(
        title=dataset_name,
        analysis=analysis,
        written=now(),
        settings={name: value for name, value in settings.items() if value},
        configs={"the run": cfg.dump()},
        terms=evaluator.terms,
        activations=[] if model is None else _activations(cfg, model, analysis),
    )
    path = Path(cfg.OUTPUT_DIR) / f"report_{dataset_name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(page, path)
    logger.info("The report is %s.", path)


def _ranking_name(evaluator: VehicleEvaluator, feature: str, label: str) -> str:
    reranked = "re-ranked" if evaluator.pipeline.steps and not label else label
    return ", ".join(filter(None, (feature, reranked)))


def _activations(cfg: CfgNode, model: nn.Module, analysis: Analysis) -> list[ActivationPair]:
    looker = Looker(cfg.MODEL.META_ARCHITECTURE, model, cfg)
    try:
        return draw_pairs([looker], analysis.query, analysis.gallery, choose_pairs(analysis, _PAIRS))
    except InputError as error:  # a network without feature maps is no reason to end an evaluation
        logger.warning("The report has no activation maps: %s", error)
        return []
