"""mAP, CMC and mINP, exact and streamed over the queries.

Shape shorthand: Q queries, G gallery images, M (query, gallery image) pairs of one identity within a band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from vreid_common.evaluation.ranks import BandRanks, rank_identity_pairs
from vreid_common.evaluation.rules import MatchRule, any_image, other_camera
from vreid_common.evaluation.sharding import Shards
from vreid_common.structures import DistanceRows, as_distance_rows

__all__ = [
    "Distance",
    "LabelArray",
    "Normalizer",
    "QueryMetrics",
    "RankingMetrics",
    "SameCamera",
    "camera_rule",
    "check_labels",
    "evaluate_queries",
    "evaluate_ranking",
    "evaluate_rules",
]

Distance = DistanceRows | Tensor | np.ndarray
LabelArray = Tensor | np.ndarray | Sequence[int]
SameCamera = Literal["exclude", "keep"]
Normalizer = Literal["all", "min", "hits"]


@dataclass(frozen=True, eq=False)
class RankingMetrics:
    """Means over the queries that have a match, as fractions in [0, 1].

    Attributes:
        mAP: mean average precision.
        cmc: (max_rank,) share of the queries with a match among their first 1, 2, ... gallery images; a Tensor on the
            distance's device if the distance was a Tensor, else a NumPy array.
        mINP: mean inverse negative penalty (Ye et al., Deep Learning for Person Re-Identification: A Survey, Eq. 6).
        num_valid_queries: how many queries have a match; the others are left out.
        num_queries: how many there are.
    """

    mAP: float
    cmc: np.ndarray | Tensor
    mINP: float
    num_valid_queries: int
    num_queries: int


@dataclass(frozen=True, eq=False)
class QueryMetrics:
    """The metrics of each query.

    Attributes:
        ap: (Q,) average precision; NaN where the query has no match, as in ``inp``.
        inp: (Q,) number of matches over the rank of the last one.
        first_hit: (Q,) rank of the first match counted from 0, -1 where there is none.
        num_matches: (Q,) how many gallery images are matches.
    """

    ap: np.ndarray
    inp: np.ndarray
    first_hit: np.ndarray
    num_matches: np.ndarray

    @property
    def num_valid(self) -> int:
        """How many queries have a match."""
        return int(np.count_nonzero(self.num_matches))

    def summary(self, max_rank: int = 50) -> RankingMetrics:
        """Means over the queries with a match.

        Raises:
            ValueError: no query has one, or ``max_rank`` is not positive.
        """
        if max_rank < 1:
            raise ValueError(f"max_rank is at least 1, got {max_rank}.")
        valid = self.num_matches > 0
        if not valid.any():
            raise ValueError(
                f"None of the {len(valid)} queries has a match in the gallery: compare the identities (and cameras) of the two."
            )
        first_hit = self.first_hit[valid]
        hits = np.bincount(first_hit[first_hit < max_rank], minlength=max_rank)
        return RankingMetrics(
            mAP=float(self.ap[valid].mean()),
            cmc=np.cumsum(hits) / len(first_hit),
            mINP=float(self.inp[valid].mean()),
            num_valid_queries=len(first_hit),
            num_queries=len(valid),
        )


def evaluate_ranking(
    distance: Distance,
    query_pids: LabelArray,
    gallery_pids: LabelArray,
    query_camids: LabelArray | None = None,
    gallery_camids: LabelArray | None = None,
    *,
    same_camera: SameCamera = "exclude",
    top_k: int | None = None,
    normalizer: Normalizer = "all",
    max_rank: int = 50,
    group: dist.ProcessGroup | None = None,
) -> RankingMetrics:
    """Mean AP, CMC and mean INP of a ranking, exact, from one reading: no Q×G array beside a given one exists.

    Gallery images at one distance rank by their index. A query without a match is left out of the means and counted. The CMC
    has ``max_rank`` entries whatever the gallery's size: where a query has fewer candidates, its curve stays flat.

    Args:
        distance: (Q, G), smaller is nearer: an array, a Tensor on any device, or ``DistanceRows``.
        query_pids: (Q,) identities, from 0.
        gallery_pids: (G,) identities; a negative one is nobody's, so that the image matches no query.
        query_camids: (Q,) cameras, -1 where unknown; without cameras no image is left out.
        gallery_camids: (G,) cameras.
        same_camera: "exclude" leaves the gallery images of the query's own identity *and* camera out of its ranking
            (Market-1501, VeRi-776); "keep" lets them count. An unknown camera equals no other.
        top_k: average precision of the first ``top_k`` ranks only (AI City: 100); None takes the whole ranking. CMC and INP
            always take the whole ranking.
        normalizer: what the average precision is divided by: "all" matches, "min" of the matches and ``top_k``, or
            the "hits" among the first ``top_k``. They differ only with ``top_k``.
        max_rank: length of the CMC.
        group: shares the queries among the processes of a ``torch.distributed`` group. Every one of them calls with the same
            labels and a distance to the same images, reads only its own queries' rows, and gets the whole result.

    Raises:
        ValueError: shapes or options do not fit, a query has no identity, a distance is NaN, or no query has a match.
    """
    metrics = evaluate_queries(
        distance,
        query_pids,
        gallery_pids,
        query_camids,
        gallery_camids,
        same_camera=same_camera,
        top_k=top_k,
        normalizer=normalizer,
        group=group,
    ).summary(max_rank)
    if isinstance(distance, Tensor):
        return RankingMetrics(**{**vars(metrics), "cmc": torch.from_numpy(metrics.cmc).to(distance.device)})
    return metrics


def evaluate_queries(
    distance: Distance,
    query_pids: LabelArray,
    gallery_pids: LabelArray,
    query_camids: LabelArray | None = None,
    gallery_camids: LabelArray | None = None,
    *,
    same_camera: SameCamera = "exclude",
    top_k: int | None = None,
    normalizer: Normalizer = "all",
    group: dist.ProcessGroup | None = None,
) -> QueryMetrics:
    """The metrics of each query; arguments and errors are those of ``evaluate_ranking``, which gives their means."""
    distance = as_distance_rows(distance)
    query_pids, gallery_pids = check_labels(distance, query_pids, gallery_pids, "pids")
    rule = camera_rule(distance, query_camids, gallery_camids, same_camera)
    return evaluate_rules(distance, query_pids, gallery_pids, {"": rule}, top_k=top_k, normalizer=normalizer, group=group)[""]


def evaluate_rules(
    distance: DistanceRows,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    rules: Mapping[str, MatchRule],
    *,
    top_k: int | None = None,
    normalizer: Normalizer = "all",
    group: dist.ProcessGroup | None = None,
) -> dict[str, QueryMetrics]:
    """Query metrics under each of several rules about what a match is, from one reading of the distances."""
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is at least 1, got {top_k}.")
    if distance.shape[0] == 0:
        raise ValueError("There are no queries to evaluate.")
    if normalizer not in ("all", "min", "hits"):
        raise ValueError(f"The normalizer is all, min or hits, got {normalizer!r}.")
    shards = Shards(group)
    parts: dict[str, list[QueryMetrics]] = {name: [] for name in rules}
    with shards.in_agreement():
        for ranks in rank_identity_pairs(distance, query_pids, gallery_pids, shards.share(distance.shape[0])):
            for name, rule in rules.items():
                parts[name].append(_band_metrics(ranks, rule(ranks.query, ranks.gallery), top_k, normalizer))
    return {name: _joined(found, shards) for name, found in parts.items()}


def _joined(parts: Sequence[QueryMetrics], shards: Shards) -> QueryMetrics:
    """The queries of all bands and all processes."""
    none = QueryMetrics(np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
    columns = zip(*(vars(part).values() for part in (none, *parts)), strict=True)
    return QueryMetrics(*(shards.join(np.concatenate(column)) for column in columns))


def _band_metrics(ranks: BandRanks, keep: np.ndarray, top_k: int | None, normalizer: Normalizer) -> QueryMetrics:
    size = ranks.stop - ranks.start
    query = ranks.query[keep] - ranks.start
    matches = np.bincount(query, minlength=size)
    # Place of each match among those of its query, and in the ranking, both counted from 0.
    place = np.arange(len(query)) - np.repeat(np.cumsum(matches) - matches, matches)
    rank = ranks.negatives_before[keep] + place

    counted = np.ones(len(query), bool) if top_k is None else rank < top_k
    precision = np.bincount(query, weights=(place + 1) / (rank + 1) * counted, minlength=size)
    divisor = matches
    if normalizer == "min" and top_k is not None:
        divisor = np.minimum(matches, top_k)
    elif normalizer == "hits":
        divisor = np.maximum(np.bincount(query, weights=counted, minlength=size), matches > 0)

    first_hit = np.full(size, -1)
    first_hit[query[place == 0]] = rank[place == 0]
    last = place == matches[query] - 1
    inp = np.full(size, np.nan)
    inp[query[last]] = matches[matches > 0] / (rank[last] + 1)
    ap = np.divide(precision, divisor, out=np.full(size, np.nan), where=matches > 0)
    return QueryMetrics(ap, inp, first_hit, matches)


def check_labels(distance: DistanceRows, query: LabelArray, gallery: LabelArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The labels of both sides as (Q,) and (G,) int64.

    Raises:
        ValueError: a length is not the distance's, a label is not an integer, or a query's identity is negative.
    """
    arrays = []
    for side, labels, size in zip(("query", "gallery"), (query, gallery), distance.shape, strict=True):
        array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
        if array.shape != (size,) or (size and array.dtype.kind not in "iu"):
            raise ValueError(
                f"{side}_{name} are ({size},) integers, as the distance has shape {tuple(distance.shape)}; "
                f"got {array.dtype} {array.shape}."
            )
        if array.dtype == np.uint64 and size and array.max() > np.iinfo(np.int64).max:
            raise ValueError(f"{side}_{name} are below 2**63, got {array.max()}.")
        arrays.append(array.astype(np.int64, copy=False))
    if name == "pids" and (arrays[0] < 0).any():
        row = int((arrays[0] < 0).argmax())
        raise ValueError(f"query_pids are identities, from 0: query {row} has {arrays[0][row]}, which is none. Leave it out.")
    return arrays[0], arrays[1]


def camera_rule(
    distance: DistanceRows, query_camids: LabelArray | None, gallery_camids: LabelArray | None, same_camera: SameCamera
) -> MatchRule:
    """The rule that ``same_camera`` names.

    Raises:
        ValueError: it is neither "exclude" nor "keep", or only one side's cameras are given.
    """
    if same_camera not in ("exclude", "keep"):
        raise ValueError(f'same_camera is "exclude" or "keep", got {same_camera!r}.')
    if (query_camids is None) != (gallery_camids is None):
        raise ValueError("The cameras of the queries and of the gallery are given together or not at all.")
    if query_camids is None or gallery_camids is None:
        return any_image
    cameras = check_labels(distance, query_camids, gallery_camids, "camids")
    return any_image if same_camera == "keep" else other_camera(*cameras)
