"""What --eval-only does with several models or scales: evaluate RERANK.PIPELINE once, or print the study's tables."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from fastreid.config import CfgNode
from fastreid.utils import comm

from dex.expansion import Expansion, open_expansion
from dex.study import SINGLE, Study, Table, pipeline_of, schemes
from vreid_common.engine import Trainer
from vreid_common.engine.evaluation_report import write_evaluation_report
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator, metrics_table
from vreid_common.evaluation.protocols import protocol_from_config
from vreid_common.features.gather import tell_all
from vreid_common.files import write_atomically
from vreid_common.report.rank_lists import choose_queries, draw_rank_lists, rank_lists, save_picture

__all__ = ["evaluate_expanded"]

logger = logging.getLogger(__name__)

_DRAWN_QUERIES = 6

T = TypeVar("T")


def evaluate_expanded(cfg: CfgNode, trainer: type[Trainer], dataset_name: str) -> dict[str, float]:
    """Metric → percent of one test set on the main process, {} on the others; every process has to call it.

    With DEX.STUDY.ENABLED these are the baseline's metrics, ``<table>/<row>/<column>`` of every table, and ``Cost/seconds`` and
    ``Cost/peak memory, MB`` of the whole; the tables are logged and written to OUTPUT_DIR/tables_<set>.md.

    Raises:
        InputError: on every process, if features cannot be extracted, combined or evaluated.
    """
    started = time.perf_counter()
    with open_expansion(cfg, trainer, dataset_name) as expansion:
        if cfg.DEX.STUDY.ENABLED:
            return _on_main_process(lambda: _study(cfg, expansion, dataset_name, started)) or {}
        return _evaluate(cfg, expansion, dataset_name)


def _evaluate(cfg: CfgNode, expansion: Expansion, dataset_name: str) -> dict[str, float]:
    """By the evaluator of every project, which gets the combined features as if a model had just given them."""
    evaluator = VehicleEvaluator(cfg, expansion.num_query, subsets=expansion.subsets)
    images = _on_main_process(expansion.images)
    if images is not None:
        batch = {
            "targets": images.pids,
            "camids": images.camids,
            "track_ids": images.track_ids,
            "view_ids": images.view_ids,
            "timestamps": images.timestamps,
            "image_digests": images.image_digests,
            "img_paths": list(images.paths),
        }
        evaluator.names = images.names
        evaluator.process(batch, images.features)
    results = dict(evaluator.evaluate())
    if cfg.TEST.REPORT and comm.is_main_process():
        write_evaluation_report(cfg, dataset_name, evaluator)
    return results


def _on_main_process(work: Callable[[], T]) -> T | None:
    """What ``work`` gives on the main process, None on the others, which wait for it and fail with it.

    Raises:
        InputError: on the other processes, if ``work`` fails.
    """
    failure, result = None, None
    if comm.is_main_process():
        try:
            result = work()
        except Exception as error:
            failure = str(error)
            raise
        finally:
            tell_all(failure)
    else:
        failure = tell_all(None)
        if failure is not None:
            raise InputError(failure)
    return result


def _study(cfg: CfgNode, expansion: Expansion, dataset_name: str, started: float) -> dict[str, float]:
    study = Study(cfg, expansion)
    tables = study.tables()
    results = {name: value for name, value in study.measure(SINGLE).items() if name != "seconds"}
    results |= {
        f"{table}/{row}/{column}": value
        for table, rows in tables.items()
        for row, values in rows.items()
        for column, value in values.items()
    }
    results |= {"Cost/seconds": time.perf_counter() - started, "Cost/peak memory, MB": _peak_memory(expansion.device)}
    text = "\n\n".join(_markdown(name, table) for name, table in tables.items())
    logger.info("%s\n%s", dataset_name, text)
    _write(Path(cfg.OUTPUT_DIR) / f"tables_{dataset_name}.md", text + "\n")
    logger.info("The study took %.1f s and %.0f MB.", results["Cost/seconds"], results["Cost/peak memory, MB"])
    if cfg.DEX.STUDY.RANK_LISTS:
        _draw(cfg, study, Path(cfg.OUTPUT_DIR) / f"rank_lists_{dataset_name}.png")
    return results


def _markdown(name: str, table: Table) -> str:
    """mAP, Rank-1 and Rank-5, as the paper's tables, and the seconds; of Table 3 the mAP of each way."""
    first = next(iter(table.values()))
    mean = next(iter(first))
    shown = [mean, "Rank-1", "Rank-5", "seconds"] if "seconds" in first else list(first)
    return f"{name}\n\n{metrics_table(table, shown)}"


def _peak_memory(device: torch.device) -> float:
    """Megabytes: what this process has held at most, on a GPU what its tensors have."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _draw(cfg: CfgNode, study: Study, path: Path) -> None:
    scheme = cfg.DEX.STUDY.RANK_LISTS
    scales, steps = schemes(cfg)[scheme]
    query, gallery = study.pair(SINGLE)
    distances = {
        "Baseline": pipeline_of(cfg, [])(query, gallery).distance,
        scheme: pipeline_of(cfg, steps)(*study.pair(scales)).distance,
    }
    match = protocol_from_config(cfg).match_rule(query, gallery)
    lists = rank_lists(query, gallery, distances, choose_queries(len(query), _DRAWN_QUERIES), match=match)
    save_picture(draw_rank_lists(lists, query, gallery), path)
    logger.info("Rank lists are drawn in %s.", path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
