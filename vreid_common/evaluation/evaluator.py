"""The evaluator that FastReID's training and testing call."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from fastreid.config import CfgNode
from fastreid.evaluation import DatasetEvaluator
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.evaluation.further import lies_in, read_further
from vreid_common.evaluation.metrics import RankingMetrics
from vreid_common.evaluation.precision import evaluation_precision
from vreid_common.evaluation.protocols import Protocol, ProtocolResult, Selection, apply_protocol, protocol_from_config
from vreid_common.evaluation.submission import write_aicity_submission
from vreid_common.evaluation.table import metrics_table
from vreid_common.features.collector import MAIN_FEATURE, FeatureCollector
from vreid_common.features.gather import tell_all
from vreid_common.reranking.pipeline import Pipeline, compared_pipelines, pipeline_from_config
from vreid_common.structures import FeatureSet, LabelNames, VehicleImage

__all__ = ["VehicleEvaluator"]

logger = logging.getLogger(__name__)


class VehicleEvaluator(DatasetEvaluator):
    """Ranks the gallery for every query and measures the ranking, under the protocol that the config names.

    A protocol for test sets without labels has no metrics: it writes OUTPUT_DIR/track2.txt.

    With re-ranking in the config (``RERANK.PIPELINE``, or FastReID's ``TEST.AQE`` and ``TEST.RERANK``) the metrics are those of
    the re-ranked distance, and only those, as FastReID's are. Log and table say so. ``RERANK.COMPARE`` shows further
    re-rankings of the same features beside them; ``RERANK.FURTHER`` brings other models' features for steps that need them.

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
        rankings: feature name → ranking metrics with the whole CMC, likewise; of a subset under ``<feature>/<subset>``.
        evaluated, further: those of ``feature_sets`` that have metrics, and those that re-ranking takes, with what
            ``RERANK.FURTHER`` adds.
        names: what the data's owner calls the test set's vehicles, cameras and tracks, which batches do not say;
            ``inference_on_dataset`` sets it.
        pipeline: the re-ranking.
        pipelines: it under "", and those of ``RERANK.COMPARE`` by their names.

    Raises:
        InputError: the config asks for something that is not there.
    """

    terms: ClassVar[Mapping[str, str]] = {}
    """What a model's own features and metrics are, by name, for the report; a subclass's business."""

    def __init__(
        self,
        cfg: CfgNode,
        num_query: int,
        output_dir: str | os.PathLike[str] | None = None,
        subsets: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.metric: str = cfg.TEST.METRIC
        self.protocol: Protocol = protocol_from_config(cfg)
        self.pipeline: Pipeline = pipeline_from_config(cfg)
        self.pipelines: dict[str, Pipeline] = {"": self.pipeline, **compared_pipelines(cfg)}
        self._further_files = cfg.get("RERANK", {}).get("FURTHER", ())
        self._num_query = num_query
        self._subsets = {name: _selection(positions, num_query) for name, positions in (subsets or {}).items()}
        self._output_dir = None if output_dir is None else Path(output_dir)
        self._run_dir = Path(cfg.OUTPUT_DIR)
        self._precision = evaluation_precision(cfg)
        self._held_out: int = cfg.DATASETS.get("VALIDATION", {}).get("NUM_IDS", 0)
        self.names = LabelNames()
        self.reset()

    def reset(self) -> None:
        self._collector = FeatureCollector()
        self.feature_sets: dict[str, tuple[FeatureSet, FeatureSet]] = {}
        self.rankings: dict[str, RankingMetrics] = {}
        self.evaluated: dict[str, tuple[FeatureSet, FeatureSet]] = {}
        self.further: dict[str, tuple[FeatureSet, FeatureSet]] = {}

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

    def check(self, items: Sequence[VehicleImage], features: Collection[str], to_come: Sequence[str] = ()) -> None:
        """Refuses, by the labels of the test set alone, what ``evaluate`` would refuse at the end of a training.

        Args:
            items: query images, then gallery images.
            features: names of the features that the model returns.
            to_come: folders that other runs write before this one: what RERANK.FURTHER names in them need not be there yet.

        Raises:
            InputError: protocol or re-ranking cannot be applied to these images, or to a part of them.
        """
        query, gallery = self._split(FeatureSet.from_items(np.zeros((len(items), 1), np.float32), items))
        later = [entry for entry in self._further_files if lies_in(entry, to_come)]
        present = [entry for entry in self._further_files if entry not in later]
        further = {*features, *read_further(present, query, gallery), *(name for name, _ in later)}
        for part in (None, *self._subsets.values()):
            asked, stored = (query, gallery) if part is None else part.of(query, gallery)
            self.protocol.check(asked, stored)
            for pipeline in self.pipelines.values():
                for step in pipeline.steps:
                    step.check(stored, further)

    def extra_metrics(self, name: str, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Further metrics of feature ``name``, in the unit in which they are printed. A subclass's business; none here."""
        return {}

    def _measure(self) -> OrderedDict[str, float]:
        results: OrderedDict[str, float] = OrderedDict()
        rows: dict[str, dict[str, float]] = {}
        device = self._collector.device
        gathered = {name: replace(images, names=self.names) for name, images in self._collector.gather().items()}
        self.feature_sets = {name: self._split(images) for name, images in gathered.items()}
        taken = frozenset[str]().union(*(pipeline.further for pipeline in self.pipelines.values()))
        # Some features only serve to re-rank the others.
        self.further = {name: pair for name, pair in self.feature_sets.items() if name in taken}
        self.evaluated = {name: pair for name, pair in self.feature_sets.items() if name not in taken}
        if self.evaluated:
            self.further |= read_further(self._further_files, *next(iter(self.evaluated.values())))
        others = {name: (query.to(device), gallery.to(device)) for name, (query, gallery) in self.further.items()}
        for name, (query, gallery) in self.evaluated.items():
            prefix = f"{name}/" if rows else ""
            for (label, pipeline), (subset, part) in product(self.pipelines.items(), {"": None, **self._subsets}.items()):
                found = self._found(pipeline, part, {name: (query.to(device), gallery.to(device)), **others})
                metrics = {key: 100 * value for key, value in found.metrics.items()}
                if not subset:
                    metrics |= {} if label else self.extra_metrics(name, query, gallery)
                self._keep("/".join(filter(None, (name, label, subset))), found)
                if not prefix:
                    self._log_summary(" of ".join(filter(None, (label, subset))), pipeline, found)
                size = f"{query.features.shape[1]}-d{', re-ranked' if pipeline.steps and not label else ''}"
                rows[", ".join(filter(None, (f"{name} ({size})", label, subset)))] = metrics
                key_of = prefix + "".join(f"{part}/" for part in (label, subset) if part)
                results.update({key_of + key: value for key, value in metrics.items()})
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

    def _found(
        self, pipeline: Pipeline, part: Selection | None, pairs: dict[str, tuple[FeatureSet, FeatureSet]]
    ) -> ProtocolResult:
        """What the protocol finds of the first feature, re-ranked with the others, of the test set or a ``part`` of it."""
        chosen = pairs if part is None else {name: part.of(*pair) for name, pair in pairs.items()}
        first, *further = chosen
        return apply_protocol(self.protocol, pipeline, *chosen[first], {name: chosen[name] for name in further})

    def _log_summary(self, what: str, pipeline: Pipeline, found: ProtocolResult) -> None:
        split = f" Validation split of {self._held_out} training identities." if self._held_out else ""
        summary = self.protocol.summary(found, self.metric, str(pipeline))
        logger.info("%s%s Features in %s.%s", f"{what}: " if what else "", summary, self._precision, split)

    def _keep(self, name: str, found: ProtocolResult) -> None:
        if found.ranking is not None:
            self.rankings[name] = found.ranking
        if found.submission is not None:
            self._submit(found.submission, "track2.txt" if name == MAIN_FEATURE else f"track2_{name.replace('/', '_')}.txt")

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
