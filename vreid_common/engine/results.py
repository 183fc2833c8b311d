"""The files of a finished or resumed run: results.json, cmc.json and metrics.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode

from vreid_common.evaluation import RankingMetrics
from vreid_common.evaluation.precision import evaluation_precision
from vreid_common.evaluation.protocols import protocol_from_config
from vreid_common.files import write_atomically
from vreid_common.reranking.pipeline import pipeline_from_config
from vreid_common.versions import package_versions

__all__ = ["copy_results", "drop_metrics_from", "write_curves", "write_results"]


def write_results(
    cfg: CfgNode, results: dict[str, Any], checkpoint: Path, protocol: dict[str, Any] | None = None, **extra: Any
) -> None:
    """Writes OUTPUT_DIR/results.json.

    Args:
        cfg: the run's configuration.
        results: metric → percent by test set.
        checkpoint: the weights that were evaluated.
        protocol: what the project adds to the protocol, or says otherwise.
        **extra: further entries, which take the place of those of the same name.
    """
    content = {
        "dataset": results,
        "protocol": {
            "name": cfg.TEST.PROTOCOL,
            "distance": cfg.TEST.METRIC,
            "flip": cfg.TEST.FLIP.ENABLED,
            "precision": evaluation_precision(cfg),
            # The steps, or False: a study's table then says "no re-ranking".
            "re-ranking": ", ".join(map(str, pipeline_from_config(cfg).steps)) or False,
            **protocol_from_config(cfg).record,
            **_validation(cfg),
            **(protocol or {}),
        },
        "checkpoint": str(checkpoint),
        "seed": cfg.SEED,
        "versions": package_versions(),
        **extra,
    }
    _write(Path(cfg.OUTPUT_DIR), json.dumps(content, indent=1) + "\n")


def write_curves(cfg: CfgNode, rankings: Mapping[str, Mapping[str, RankingMetrics]]) -> None:
    """Writes OUTPUT_DIR/cmc.json: {test set: {feature: [share of the queries with a match among the first 1, 2, ...]}}.

    Args:
        cfg: the run's configuration.
        rankings: an evaluator's rankings by test set; without any nothing is written.
    """
    curves = {
        dataset: {name: [round(float(share), 6) for share in ranking.cmc] for name, ranking in found.items()}
        for dataset, found in rankings.items()
        if found
    }
    if curves:
        _write(Path(cfg.OUTPUT_DIR), json.dumps(curves) + "\n", "cmc.json")


def _validation(cfg: CfgNode) -> dict[str, int]:
    """Which identities took the place of the test images, if any did."""
    validation = cfg.DATASETS.VALIDATION
    return {"validation identities": validation.NUM_IDS, "validation seed": validation.SEED} if validation.NUM_IDS else {}


def copy_results(source: str, target: str) -> None:
    """Gives the folder ``target`` the results.json of ``source``."""
    _write(Path(target), (Path(source) / "results.json").read_text())


def drop_metrics_from(output_dir: str, iteration: int) -> None:
    """Removes what a killed run logged beyond its last checkpoint from metrics.json; the resumed run logs it again."""
    path = Path(output_dir) / "metrics.json"
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        try:
            if json.loads(line)["iteration"] < iteration:
                kept.append(line)
        except (json.JSONDecodeError, KeyError):
            continue  # the last line of a killed run may be half written
    write_atomically(path, lambda temporary: temporary.write_text("".join(kept)))


def _write(folder: Path, text: str, name: str = "results.json") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / name, lambda temporary: temporary.write_text(text))
