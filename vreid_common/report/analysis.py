"""All that a report says of the rankings of a test set, as numbers.

Shape shorthand: Q queries, G gallery images, S images laid out in the plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from vreid_common.evaluation.metrics import QueryMetrics, evaluate_rules
from vreid_common.evaluation.protocols import Labels, Protocol, ProtocolResult, apply_protocol
from vreid_common.evaluation.rules import MatchRule
from vreid_common.report.confusions import Confusion, find_confusions
from vreid_common.report.embedding import lay_out, sample_images
from vreid_common.report.examples import choose_examples
from vreid_common.report.groups import Grouping, GroupTable
from vreid_common.report.rank_lists import RankList, rank_lists
from vreid_common.report.ranking import Ranking
from vreid_common.report.survey import DistanceSurvey, survey_distances
from vreid_common.structures import UNKNOWN, VIEWS, DistanceRows, FeatureSet

__all__ = ["Amounts", "Analysis", "Layout", "RankingAnalysis", "analyse"]

_MOST_CAMERAS = 24
"""Wider tables are not read."""
_IDENTITIES = 20
"""Laid out in the plane: more could not be told apart by their marks."""


@dataclass(frozen=True)
class Amounts:
    """How much a report shows.

    Attributes:
        queries: best, worst and random queries, so many of each.
        images: gallery images of each of them.
        points: images laid out in the plane at most.
        seed: of random queries, and of what is laid out and how.
    """

    queries: int = 6
    images: int = 10
    points: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class RankingAnalysis:
    """One ranking. What is measured is None, and no vehicle taken for another, where there are no labels.

    Attributes:
        name: the ranking's.
        reranking: its steps, in words.
        survey: of its distances.
        lists: shown query → its first gallery images.
        found: the protocol's result.
        queries: of each query, when the gallery is ranked image by image.
        cameras, views: mAP from group to group; None where the groups are not known either.
        confusions: vehicles taken for others.
    """

    name: str
    reranking: str
    survey: DistanceSurvey
    lists: Mapping[int, RankList]
    found: ProtocolResult | None = None
    queries: QueryMetrics | None = None
    cameras: GroupTable | None = None
    views: GroupTable | None = None
    confusions: Sequence[Confusion] = ()


@dataclass(frozen=True, eq=False)
class Layout:
    """Images in the plane.

    Attributes:
        rows: (S,) indices into the queries and the gallery after them.
        points: (S, 2) in [0, 1].
    """

    rows: np.ndarray
    points: np.ndarray


@dataclass(frozen=True, eq=False)
class Analysis:
    """A whole report.

    Attributes:
        query, gallery: the images that indices are of: those of the test set, or of the protocol's first draw.
        examples: "best", "worst", "random" → queries, by their AP in the first ranking.
        layout: of the first ranking's features, before re-ranking; None where there is nothing to lay out.
    """

    protocol: Protocol
    metric: str
    amounts: Amounts
    query: FeatureSet
    gallery: FeatureSet
    rankings: list[RankingAnalysis]
    examples: dict[str, list[int]]
    layout: Layout | None

    @property
    def labelled(self) -> bool:
        """Whether there is something to measure."""
        return self.rankings[0].found is not None


def analyse(rankings: Sequence[Ranking], protocol: Protocol, amounts: Amounts) -> Analysis:
    """Measures rankings and chooses what of them is shown; no Q×G array beside a pipeline's own exists.

    Of a protocol that draws, metrics are means over the draws as ever, and all else is of the first draw. Where tracks are
    ranked, all else is of the ranking of images, by the same rule.

    Args:
        rankings: at least one.
        protocol: says which gallery images are matches; without labels it is not asked for metrics.
        amounts: how much is shown.

    Raises:
        InputError: labels or features do not give what the protocol or a pipeline needs.
    """
    first = rankings[0]
    labelled = protocol.needs_labels and all(bool((side.pids != UNKNOWN).any()) for side in (first.query, first.gallery))
    draws = protocol.draws(first.query, first.gallery) if labelled else ()
    shown = draws[0] if draws else None
    examples: dict[str, list[int]] = {}
    analysed = []
    for ranking in tqdm(rankings, desc="report", unit="ranking", leave=False, disable=None):
        part = ranking.part(shown)
        distance = part.distance()
        match = protocol.match_rule(part.query, part.gallery)
        survey = survey_distances(distance, part.query, part.gallery, match)
        measured: dict[str, Any] = {}
        if labelled:
            given = ranking.query, ranking.gallery, ranking.further
            found = apply_protocol(protocol, ranking.pipeline, *given, None if draws else distance)
            measured = {"found": found, **_measure_queries(part, distance, protocol, match, survey)}
        if not examples:
            ap = measured["queries"].ap if labelled else np.full(len(part.query), np.nan)
            examples = choose_examples(ap, amounts.queries, amounts.seed)
        chosen = [row for rows in examples.values() for row in rows]
        lists = rank_lists(part.query, part.gallery, {ranking.name: distance}, chosen, amounts.images, match)
        by_query = {one.query: one for one in lists}
        analysed.append(RankingAnalysis(ranking.name, str(ranking.pipeline), survey, by_query, **measured))
    part = first.part(shown)
    layout = _lay_out(part, amounts)
    return Analysis(protocol, first.pipeline.metric, amounts, part.query, part.gallery, analysed, examples, layout)


def _measure_queries(
    ranking: Ranking, distance: DistanceRows, protocol: Protocol, match: MatchRule, survey: DistanceSurvey
) -> dict[str, Any]:
    """The fields of ``RankingAnalysis`` that labels give, from one reading: each query's metrics, tables and confusions."""
    query, gallery = Labels.of(ranking.query), Labels.of(ranking.gallery)
    groupings = {
        "cameras": Grouping(query.camids, gallery.camids, _MOST_CAMERAS),
        "views": Grouping(query.view_ids, gallery.view_ids, len(VIEWS)),
    }
    rules = {"": match}
    for name, grouping in groupings.items():
        rules |= {f"{name} {label}": rule for label, rule in grouping.rules(match).items()}
    found = evaluate_rules(distance, query.pids, gallery.pids, rules, top_k=protocol.top_k, normalizer=protocol.normalizer)
    tables = {
        name: grouping.table({label: found[f"{name} {label}"] for label in grouping.columns})
        for name, grouping in groupings.items()
    }
    confusions = find_confusions(query.pids, gallery.pids, found[""].first_hit, survey)
    return {"queries": found[""], "confusions": confusions, **tables}


def _lay_out(ranking: Ranking, amounts: Amounts) -> Layout | None:
    query, gallery = ranking.query, ranking.gallery
    rows = sample_images(torch.cat([query.pids, gallery.pids]).numpy(), amounts.points, _IDENTITIES, amounts.seed)
    split = int(np.searchsorted(rows, len(query)))
    features = torch.cat([query.features[rows[:split]], gallery.features[rows[split:] - len(query)]])
    points = lay_out(features, ranking.pipeline.metric, amounts.seed)
    return None if points is None else Layout(rows, points)
