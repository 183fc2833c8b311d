"""Evaluation protocols: what stands in the gallery, which of its images count for a query, and what is averaged.

A project adds a protocol by registering a subclass with ``PROTOCOL_REGISTRY``; ``cfg.TEST.PROTOCOL`` names it.

Shape shorthand: Q queries, G gallery images, T gallery tracks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vreid_common.errors import InputError
from vreid_common.evaluation.metrics import Normalizer, RankingMetrics, evaluate_rules
from vreid_common.evaluation.roc import rule_tpr_at_fpr
from vreid_common.evaluation.rules import MatchRule, all_of, any_image, other_camera, other_view, same_view
from vreid_common.evaluation.tracks import TrackRows, group_tracks
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import UNKNOWN, DistanceRows, FeatureSet

__all__ = ["ImageToTrack", "Labels", "Protocol", "ProtocolResult", "SameCameraExcluded", "SameCameraKept"]

RANKS = (1, 5, 10)
"""The ranks of the CMC that tables show."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What an evaluation knows of one side: (N,) int64 each, ``UNKNOWN`` (-1) where not known."""

    pids: np.ndarray
    camids: np.ndarray
    view_ids: np.ndarray

    @classmethod
    def of(cls, images: FeatureSet) -> Labels:
        return cls(images.pids.numpy(), images.camids.numpy(), images.view_ids.numpy())


@dataclass(frozen=True, eq=False)
class ProtocolResult:
    """What a protocol found.

    Attributes:
        metrics: name → fraction in [0, 1], in the order in which tables show them.
        ranking: the whole ranking metrics, with the CMC to ``max_rank``.
        num_gallery: how many gallery entries (images or tracks) each query was ranked against.
    """

    metrics: dict[str, float]
    ranking: RankingMetrics
    num_gallery: int


class Protocol(ABC):
    """How queries are ranked against a gallery and what is measured.

    Args:
        max_rank: length of the CMC.
        views: also measure mAP over matches in the query's own view and in another view, where views are known.
        fprs: false positive rates at which to give the true positive rate.
        top_k: mean average precision of the first ``top_k`` ranks only, named ``mAP@<top_k>``; None takes the whole ranking.
        normalizer: what the average precision of so many ranks is divided by, as in ``evaluate_ranking``.
    """

    title: ClassVar[str]
    """A few words for the head of a table."""
    description: ClassVar[str]
    """One sentence that says which gallery images count."""

    def __init__(
        self,
        max_rank: int = 50,
        views: bool = True,
        fprs: Sequence[float] = (),
        *,
        top_k: int | None = None,
        normalizer: Normalizer = "all",
    ) -> None:
        self.max_rank = max_rank
        self.views = views
        self.fprs = tuple(fprs)
        self.top_k = top_k
        self.normalizer = normalizer

    @abstractmethod
    def __call__(self, query: FeatureSet, gallery: FeatureSet, distance: DistanceRows) -> ProtocolResult:
        """Evaluates the (Q, G) ``distance`` of the query images to the gallery images.

        Raises:
            InputError: the labels do not give what the protocol needs, or no query has a match.
        """

    def summary(self, found: ProtocolResult, metric: str, reranking: str) -> str:
        """What every number has to be read with: the protocol, the metric, the re-ranking and what was left out."""
        ranking = found.ranking
        left_out = ranking.num_queries - ranking.num_valid_queries
        return (
            f"Protocol: {self.title} ({self.description}). Metric {metric}, {reranking}. "
            f"{ranking.num_queries:,} queries, {left_out:,} of them left out for want of a match; "
            f"gallery of {found.num_gallery:,}."
        )

    def measure(self, query: Labels, gallery: Labels, distance: DistanceRows, match: MatchRule) -> ProtocolResult:
        """The metrics when ``match`` says which gallery entries of the query's identity count.

        ``mAP (same view)`` counts only matches in the query's view and ``mAP (cross view)`` only those in another one: the
        other matches are junk, while images of other identities stay, whatever their view (EALN, Table II).
        """
        rules = {"": match}
        if self.views and (query.view_ids != UNKNOWN).any() and (gallery.view_ids != UNKNOWN).any():
            rules["same view"] = all_of(match, same_view(query.view_ids, gallery.view_ids))
            rules["cross view"] = all_of(match, other_view(query.view_ids, gallery.view_ids))
        found = evaluate_rules(distance, query.pids, gallery.pids, rules, top_k=self.top_k, normalizer=self.normalizer)
        if not found[""].num_valid:
            raise InputError(
                f"None of the {len(query.pids)} queries has a match in the gallery ({self.title}): "
                "compare the identities and cameras of the two, or choose another TEST.PROTOCOL."
            )
        ranking = found[""].summary(self.max_rank)
        mean = "mAP" if self.top_k is None else f"mAP@{self.top_k}"
        metrics = {mean: ranking.mAP}
        metrics |= {f"Rank-{rank}": float(ranking.cmc[rank - 1]) for rank in RANKS if rank <= self.max_rank}
        metrics |= {"mINP": ranking.mINP, "metric": (ranking.mAP + float(ranking.cmc[0])) / 2}
        metrics |= {f"{mean} ({name})": part.summary().mAP for name, part in found.items() if name and part.num_valid}
        if self.fprs:
            tprs = rule_tpr_at_fpr(distance, query.pids, gallery.pids, match, self.fprs)
            metrics |= {f"TPR@FPR={fpr:.0e}": tpr for fpr, tpr in zip(self.fprs, tprs, strict=True)}
        return ProtocolResult(metrics, ranking, distance.shape[1])


@PROTOCOL_REGISTRY.register()
class SameCameraExcluded(Protocol):
    """The protocol of Market-1501 and of VeRi-776, image to image."""

    title = "image to image, same camera excluded"
    description = "gallery images of the query's own identity and camera are left out of its ranking"

    def __call__(self, query: FeatureSet, gallery: FeatureSet, distance: DistanceRows) -> ProtocolResult:
        asked, stored = Labels.of(query), Labels.of(gallery)
        return self.measure(asked, stored, distance, other_camera(asked.camids, stored.camids))


@PROTOCOL_REGISTRY.register()
class SameCameraKept(Protocol):
    """For data sets without cameras, and for those whose protocol counts every image."""

    title = "image to image, same camera kept"
    description = "every gallery image of the query's identity is a match, from its own camera too"

    def __call__(self, query: FeatureSet, gallery: FeatureSet, distance: DistanceRows) -> ProtocolResult:
        return self.measure(Labels.of(query), Labels.of(gallery), distance, any_image)


@PROTOCOL_REGISTRY.register()
class ImageToTrack(Protocol):
    """VeRi-776's second protocol: a query image is ranked against gallery tracks, each as far as its nearest image."""

    title = "image to track, same camera excluded"
    description = (
        "the gallery is ranked by track, a track as near as its nearest image; tracks of the query's own identity and camera "
        "are left out of its ranking"
    )

    def __call__(self, query: FeatureSet, gallery: FeatureSet, distance: DistanceRows) -> ProtocolResult:
        tracks = group_tracks(gallery)
        asked, stored = Labels.of(query), Labels(tracks.pids, tracks.camids, tracks.view_ids)
        rows = TrackRows(distance, tracks.of_image, len(tracks.pids))
        return self.measure(asked, stored, rows, other_camera(asked.camids, stored.camids))
