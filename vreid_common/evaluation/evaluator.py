"""The evaluator that FastReID's training and testing call."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from torch import Tensor

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation import protocols as _protocols  # noqa: F401 - registers them
from vreid_common.evaluation.metrics import RankingMetrics
from vreid_common.evaluation.protocols import Protocol
from vreid_common.evaluation.table import metrics_table
from vreid_common.features.collector import FeatureCollector
from vreid_common.features.gather import tell_all
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.reranking.pipeline import Pipeline, pipeline_from_config
from vreid_common.structures import METRICS, FeatureSet

__all__ = ["VehicleEvaluator"]

logger = logging.getLogger(__name__)

_FPRS = (1e-4, 1e-3, 1e-2)


class VehicleEvaluator(DatasetEvaluator):
    """Ranks the gallery for every query and measures the ranking, under the protocol that the config names.

    With re-ranking in the config (``RERANK.PIPELINE``, or FastReID's ``TEST.AQE`` and ``TEST.RERANK``) the metrics are those of
    the re-ranked distance, and only those, as FastReID's are. Log and table say so.

    It takes the place of FastReID's ``ReidEvaluator`` in ``build_evaluator``, with FastReID's or our loaders, on any number of
    processes. A project adds metrics of its own by overriding ``extra_metrics``.

    Args:
        cfg: the config; one of plain FastReID without vreid_common's keys gets their defaults.
        num_query: how many images of the test set, its first ones, are queries.
        output_dir: where to save the features, as ``<feature>_query`` and ``<feature>_gallery``; None saves nothing.

    Attributes:
        feature_sets: feature name → (query, gallery), after ``evaluate`` on the main process.
        rankings: feature name → ranking metrics with the whole CMC, likewise.
        pipeline: the re-ranking.

    Raises:
        InputError: the config asks for something that is not there.
    """

    def __init__(self, cfg: CfgNode, num_query: int, output_dir: str | os.PathLike[str] | None = None) -> None:
        test = _test_options(cfg)
        if test.METRIC not in METRICS:
            raise InputError(f"TEST.METRIC is {test.METRIC!r}: use one of {', '.join(METRICS)}.")
        if test.PROTOCOL not in PROTOCOL_REGISTRY.names:
            raise InputError(f"TEST.PROTOCOL is {test.PROTOCOL!r}: use one of {', '.join(PROTOCOL_REGISTRY.names)}.")
        if test.MAX_RANK < 1:
            raise InputError(f"TEST.MAX_RANK is {test.MAX_RANK}: use 1 or more.")
        fprs = _FPRS if test.ROC.ENABLED else ()
        self.protocol: Protocol = PROTOCOL_REGISTRY.get(test.PROTOCOL)(test.MAX_RANK, test.VIEWS, fprs)
        self.metric: str = test.METRIC
        self.pipeline: Pipeline = pipeline_from_config(cfg)
        self._num_query = num_query
        self._output_dir = None if output_dir is None else Path(output_dir)
        self.reset()

    def reset(self) -> None:
        self._collector = FeatureCollector()
        self.feature_sets: dict[str, tuple[FeatureSet, FeatureSet]] = {}
        self.rankings: dict[str, RankingMetrics] = {}

    def process(self, inputs: Mapping[str, Any], outputs: Tensor | Mapping[str, Tensor]) -> None:
        """Takes a batch with its features: a (B, D) Tensor, or name → (B, D), of any float type on any device."""
        self._collector.add(inputs, outputs)

    def evaluate(self) -> OrderedDict[str, float]:
        """Metric → percent on the main process, an empty dict on the others; all processes have to call it.

        The first feature's metrics have plain names, those of a further one are prefixed with its name and a slash.

        Raises:
            InputError: on every process, if images are missing or double, features are not finite, or the protocol cannot
                be applied to the labels.
        """
        failure = None
        results: OrderedDict[str, float] = OrderedDict()
        try:
            results = self._measure()
        except Exception as error:
            failure = str(error)
            raise
        finally:
            # The others wait for the main process here, and end with it.
            main_failure = tell_all(failure)
        if main_failure is not None:
            raise InputError(main_failure)
        return results

    def extra_metrics(self, name: str, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Further metrics of feature ``name``, in the unit in which they are printed. A subclass's business; none here."""
        return {}

    def _measure(self) -> OrderedDict[str, float]:
        device = self._collector.device
        results: OrderedDict[str, float] = OrderedDict()
        rows: dict[str, dict[str, float]] = {}
        self.feature_sets = {name: self._split(images) for name, images in self._collector.gather().items()}
        further = {name: self.feature_sets[name] for name in self.feature_sets if name in self.pipeline.further}
        for name, (query, gallery) in self.feature_sets.items():
            if name in further:
                continue  # it serves to re-rank the others
            retrieval = self.pipeline(*_on(device, query, gallery), {key: _on(device, *pair) for key, pair in further.items()})
            found = self.protocol(query, gallery, retrieval.distance)
            self.rankings[name] = found.ranking
            if not rows:
                logger.info(self.protocol.summary(found, self.metric, str(self.pipeline)))
            metrics = {key: 100 * value for key, value in found.metrics.items()} | self.extra_metrics(name, query, gallery)
            results.update(metrics if not rows else {f"{name}/{key}": value for key, value in metrics.items()})
            rows[f"{name} ({query.features.shape[1]}-d{', re-ranked' if self.pipeline.steps else ''})"] = metrics
        if rows:
            # "metric" only serves FastReID to choose the best checkpoint.
            shown = [key for key in next(iter(rows.values())) if key != "metric"]
            logger.info("\n%s", metrics_table(rows, shown, corner="feature"))
            self._save()
        return results

    def _split(self, images: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
        if not 0 < self._num_query < len(images):
            raise InputError(
                f"The test set has {len(images)} images of which {self._num_query} are queries: it needs queries and a gallery."
            )
        return images.select(slice(0, self._num_query)), images.select(slice(self._num_query, None))

    def _save(self) -> None:
        if self._output_dir is not None:
            for name, (query, gallery) in self.feature_sets.items():
                query.save(self._output_dir / f"{name}_query")
                gallery.save(self._output_dir / f"{name}_gallery")


def _on(device: torch.device, query: FeatureSet, gallery: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
    return replace(query, features=query.features.to(device)), replace(gallery, features=gallery.features.to(device))


def _test_options(cfg: CfgNode) -> CfgNode:
    """``cfg.TEST`` with the default of every key of vreid_common's that it lacks."""
    options = get_vreid_cfg().TEST
    options.update(cfg.TEST)
    return options
