"""Which number decides that a model is the best so far: TEST.BEST."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastreid.config import CfgNode

__all__ = ["deciding_metric", "say_what_decides"]

logger = logging.getLogger(__name__)

_DEFAULT = "metric"


def say_what_decides(cfg: CfgNode) -> None:
    """Logs which metric of which test set model_best.pth goes by."""
    if cfg.DATASETS.TESTS:
        logger.info("model_best.pth goes by %s of %s (TEST.BEST).", cfg.TEST.BEST.METRIC, _dataset(cfg))


def deciding_metric(cfg: CfgNode, results: Mapping[str, Mapping[str, float]]) -> float | None:
    """The metric that TEST.BEST names, of an evaluation; None where it has no metrics, as off the main process.

    A metric that the evaluation does not have is logged, and FastReID's ``metric`` of the same set decides.
    """
    metrics = results.get(_dataset(cfg)) if results else None
    if not metrics:
        return None
    name = cfg.TEST.BEST.METRIC
    if name in metrics:
        return metrics[name]
    logger.warning(
        "TEST.BEST.METRIC is %r, which the evaluation of %s does not have; %s decides. It has %s.",
        name, _dataset(cfg), _DEFAULT, ", ".join(metrics),
    )  # fmt: skip
    return metrics.get(_DEFAULT)


def _dataset(cfg: CfgNode) -> str:
    return cfg.TEST.BEST.DATASET or cfg.DATASETS.TESTS[0]
