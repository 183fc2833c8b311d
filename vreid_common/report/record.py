"""What a report says, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from vreid_common.report.analysis import Analysis, RankingAnalysis
from vreid_common.report.groups import GroupTable
from vreid_common.structures import VIEWS, LabelNames

__all__ = ["analysis_record"]


def analysis_record(analysis: Analysis) -> dict[str, Any]:
    """The numbers of a report beside the metrics: chosen queries, and of each ranking histograms, tables and confusions.

    mAP is in fractions, None where no query has a match; queries and images are named by their index, vehicles and cameras as
    their owner calls them (None where unknown).
    """
    return {
        "examples": analysis.examples,
        "rankings": {one.name: _ranking_record(one, analysis.query.names) for one in analysis.rankings},
    }


def _ranking_record(ranking: RankingAnalysis, names: LabelNames) -> dict[str, Any]:
    survey = ranking.survey
    return {
        "distances": {name: getattr(survey, name).tolist() for name in ("edges", "positives", "negatives")},
        "cameras": _table_record(ranking.cameras, lambda camera: names.of("camids", camera)),
        "views": _table_record(ranking.views, VIEWS.__getitem__),
        "confusions": [
            {**asdict(one), "vehicle": names.of("pids", one.vehicle), "taken_for": names.of("pids", one.taken_for)}
            for one in ranking.confusions
        ],
    }


def _table_record(table: GroupTable | None, name: Callable[[int], str | None]) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "queries": [name(row) for row in table.rows],
        "gallery": [name(column) for column in table.columns],
        "mAP": [[None if np.isnan(value) else value for value in row] for row in table.mAP.tolist()],
        "num_queries": table.num_queries.tolist(),
    }
