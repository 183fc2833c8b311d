"""The evaluator that FastReID's training and testing call."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.evaluation.metrics import RankingMetrics
from vreid_common.evaluation.protocols import Protocol, ProtocolResult, Selection, apply_protocol, protocol_from_config
from vreid_common.evaluation.submission import write_aicity_submission
from vreid_common.evaluation.table import metrics_table
from vreid_common.features.collector import MAIN_FEATURE, FeatureCollector
from vreid_common.features.gather import tell_all
from vreid_common.reranking.pipeline import Pipeline, pipeline_from_config
from vreid_common.structures import METRICS, FeatureSet

__all__ = ["VehicleEvaluator"]

logger = logging.getLogger(__name__)


class VehicleEvaluator(DatasetEvaluator):
    """Ranks the gallery for every query and measures the ranking, under the protocol that the config names.

    A protocol for test sets without labels has no metrics: it writes OUTPUT_DIR/track2.txt.

    With re-ranking in the config (``RERANK.PIPELINE``, or FastReID's ``TEST.AQE`` and ``TEST.RERANK``) the metrics are those of
    the re-ranked distance, and only those, as FastReID's are. Log and table say so.

    It takes the place of FastReID's ``ReidEvaluator`` in ``build_evaluator``, with FastReID's or our loaders, on any number of
    processes. A project adds metrics of its own by overriding ``extra_metrics``.

    Args:
        cfg: the config; one of plain FastReID without vreid_common's keys gets their defaults.
        num_query: how many images of the test set, its first ones, are queries.
        output_dir: where to save the features, as ``<feature>_query`` and ``<feature>_gallery``; None saves nothing.
        subsets: name → rising positions of images, queries and gallery, that are evaluated for themselves too, as the smaller
            galleries of PKU-VD are; their metrics have the name and a slash before theirs (``small/mAP``).

    Attributes:
        feature_sets: feature name → (query, gallery), after ``evaluate`` on the main process.
        rankings: feature name → ranking metrics with the whole CMC, likewise.
        pipeline: the re-ranking.

    Raises:
        InputError: the config asks for something that is not there.
    """

    def __init__(
        self,
        cfg: CfgNode,
        num_query: int,
        output_dir: str | os.PathLike[str] | None = None,
        subsets: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.metric: str = cfg.TEST.METRIC
        if self.metric not in METRICS:
            raise InputError(f"TEST.METRIC is {self.metric!r}: use one of {', '.join(METRICS)}.")
        self.protocol: Protocol = protocol_from_config(cfg)
        self.pipeline: Pipeline = pipeline_from_config(cfg)
        self._num_query = num_query
        self._subsets = {name: _selection(positions, num_query) for name, positions in (subsets or {}).items()}
        self._output_dir = None if output_dir is None else Path(output_dir)
        self._run_dir = Path(cfg.OUTPUT_DIR)
        self._held_out: int = cfg.DATASETS.get("VALIDATION", {}).get("NUM_IDS", 0)
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
        results: OrderedDict[str, float] = OrderedDict()
        rows: dict[str, dict[str, float]] = {}
        device = self._collector.device
        self.feature_sets = {name: self._split(images) for name, images in self._collector.gather().items()}
        further = {name for name in self.feature_sets if name in self.pipeline.further}
        for name, (query, gallery) in self.feature_sets.items():
            if name in further:
                continue  # it serves to re-rank the others
            prefix = f"{name}/" if rows else ""
            row = f"{name} ({query.features.shape[1]}-d{', re-ranked' if self.pipeline.steps else ''})"
            for subset, found in self._found({key: _on(device, *self.feature_sets[key]) for key in (name, *further)}):
                metrics = {key: 100 * value for key, value in found.metrics.items()}
                if not subset:
                    metrics |= self.extra_metrics(name, query, gallery)
                    self._keep(name, found)
                if not prefix:
                    self._log_summary(subset, found)
                rows[f"{row}, {subset}" if subset else row] = metrics
                results.update({f"{prefix}{subset}{'/' if subset else ''}{key}": value for key, value in metrics.items()})
        # "metric" only serves FastReID to choose the best checkpoint.
        shown = [key for key in next(iter(rows.values()), {}) if key != "metric"]
        if shown:
            logger.info("\n%s", metrics_table(rows, shown, corner="feature"))
        self._save()
        return results

    def _split(self, images: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
        if not 0 < self._num_query < len(images):
            raise InputError(
                f"The test set has {len(images)} images of which {self._num_query} are queries: it needs queries and a gallery."
            )
        return images.select(slice(0, self._num_query)), images.select(slice(self._num_query, None))

    def _found(self, pairs: dict[str, tuple[FeatureSet, FeatureSet]]) -> Iterator[tuple[str, ProtocolResult]]:
        """What the protocol finds of the first feature, with "" of the whole test set, and with its name of each subset."""
        first, *further = pairs
        parts: dict[str, Selection | None] = {"": None, **self._subsets}
        for subset, part in parts.items():
            chosen = pairs if part is None else {name: part.of(*pair) for name, pair in pairs.items()}
            others = {name: chosen[name] for name in further}
            yield subset, apply_protocol(self.protocol, self.pipeline, *chosen[first], others)

    def _log_summary(self, subset: str, found: ProtocolResult) -> None:
        split = f" Validation split of {self._held_out} training identities." if self._held_out else ""
        summary = self.protocol.summary(found, self.metric, str(self.pipeline))
        logger.info("%s%s%s", f"{subset}: " if subset else "", summary, split)

    def _keep(self, name: str, found: ProtocolResult) -> None:
        if found.ranking is not None:
            self.rankings[name] = found.ranking
        if found.submission is not None:
            self._submit(found.submission, "track2.txt" if name == MAIN_FEATURE else f"track2_{name}.txt")

    def _submit(self, ranking: np.ndarray, name: str) -> None:
        self._run_dir.mkdir(parents=True, exist_ok=True)
        write_aicity_submission(ranking, self._run_dir / name)
        logger.info("The submission is %s.", self._run_dir / name)

    def _save(self) -> None:
        if self._output_dir is not None:
            for name, (query, gallery) in self.feature_sets.items():
                query.save(self._output_dir / f"{name}_query")
                gallery.save(self._output_dir / f"{name}_gallery")


def _selection(positions: Sequence[int], num_query: int) -> Selection:
    indices = np.asarray(positions, np.int64)
    return Selection(query=indices[indices < num_query], gallery=indices[indices >= num_query])


def _on(device: torch.device, query: FeatureSet, gallery: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
    return replace(query, features=query.features.to(device)), replace(gallery, features=gallery.features.to(device))
