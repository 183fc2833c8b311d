"""Evaluates a re-ranking under a protocol, once or for each of its draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vreid_common.evaluation.metrics import RankingMetrics
from vreid_common.evaluation.protocols.protocol import Protocol, ProtocolResult
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import DistanceRows, FeatureSet

__all__ = ["apply_protocol", "mean_result"]


def apply_protocol(
    protocol: Protocol,
    pipeline: Pipeline,
    query: FeatureSet,
    gallery: FeatureSet,
    further: Mapping[str, tuple[FeatureSet, FeatureSet]] | None = None,
    distance: DistanceRows | None = None,
) -> ProtocolResult:
    """Ranks the gallery for the queries and measures the ranking; with draws, each of them, one after the other.

    The features are those given, whatever is drawn. Each draw is re-ranked on its own: its gallery is another one.

    Args:
        protocol, pipeline: what to measure of which re-ranking.
        query, gallery: the test set.
        further: name → (query, gallery) with other features of the same images, for the pipeline.
        distance: the pipeline's distance of the query to the gallery, where that has been computed already.

    Raises:
        InputError: the labels or features do not give what the protocol or the pipeline needs.
    """
    further = further or {}
    draws = protocol.draws(query, gallery)
    if not draws:
        if distance is None:
            distance = pipeline(query, gallery, further, protocol.group).distance
        return protocol(query, gallery, distance)
    results = []
    for draw in draws:
        drawn_query, drawn_gallery = draw.of(query, gallery)
        drawn_further = {name: draw.of(*pair) for name, pair in further.items()}
        reranked = pipeline(drawn_query, drawn_gallery, drawn_further, protocol.group)
        results.append(protocol(drawn_query, drawn_gallery, reranked.distance))
    return mean_result(results)


def mean_result(results: Sequence[ProtocolResult]) -> ProtocolResult:
    """The means over draws of one size, with the sample standard deviation of mAP and CMC as ``<metric> (std)``."""
    if len(results) == 1:
        return results[0]
    rankings = [result.ranking for result in results if result.ranking is not None]
    # A metric that some draw does not have (no match in the query's view, say) has no mean over the draws.
    names = [name for name in results[0].metrics if all(name in result.metrics for result in results)]
    values = {name: np.array([result.metrics[name] for result in results]) for name in names}
    metrics = {name: float(value.mean()) for name, value in values.items()}
    shown = [name for name in names if name.startswith(("mAP", "Rank-"))]
    metrics |= {f"{name} (std)": float(values[name].std(ddof=1)) for name in shown}
    ranking = RankingMetrics(
        mAP=float(np.mean([one.mAP for one in rankings])),
        cmc=np.mean([one.cmc for one in rankings], axis=0),
        mINP=float(np.mean([one.mINP for one in rankings])),
        num_valid_queries=rankings[0].num_valid_queries,
        num_queries=rankings[0].num_queries,
    )
    return replace(
        results[0],
        metrics=metrics,
        ranking=ranking,
        num_draws=len(results),
        num_tied=max(result.num_tied for result in results),
        own_pictures=sum(result.own_pictures for result in results),
    )
