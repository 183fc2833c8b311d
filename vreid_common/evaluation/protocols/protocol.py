"""What an evaluation protocol is, and the measuring that all have in common.

Shape shorthand: Q queries, G gallery images, K ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch.distributed as dist

from vreid_common.errors import InputError
from vreid_common.evaluation.metrics import Normalizer, RankingMetrics, evaluate_rules
from vreid_common.evaluation.protocols.selection import Selection
from vreid_common.evaluation.roc import rule_tpr_at_fpr
from vreid_common.evaluation.rules import MatchRule, all_of, any_image, other_image, other_view, same_view
from vreid_common.evaluation.ties import count_tied_queries
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import UNKNOWN, Copies, DistanceRows, FeatureSet, Pictures, find_copies

__all__ = ["Entries", "Labels", "Protocol", "ProtocolResult", "own_pictures"]

_NEARLY_ALL = 0.9

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
        metrics: name → fraction in [0, 1], in the order in which tables show them; empty without labels.
        ranking: the whole ranking metrics, with the CMC to ``max_rank``; None without labels.
        num_gallery: how many gallery entries (images or tracks) each query was ranked against.
        num_draws: how many random draws the metrics are means of; 1 where nothing is drawn.
        submission: (Q, K) indices of each query's first gallery images, of a protocol that is there to hand them in.
        num_tied: how many queries' nearest match is exactly as near as an image of another vehicle.
        one_match: whether nearly all queries have a single match.
        unknown_queries: how many queries are of unknown vehicle, and so without a match.
        distractors: how many gallery entries are, and so nobody's match.
        own_pictures: how many gallery images were left out of a query's ranking as they are its own picture, the same file or
            a copy of it.
        compared: whether files or digests of all pictures were there to tell.
    """

    metrics: dict[str, float]
    ranking: RankingMetrics | None
    num_gallery: int
    num_draws: int = 1
    submission: np.ndarray | None = None
    num_tied: int = 0
    one_match: bool = False
    unknown_queries: int = 0
    distractors: int = 0
    own_pictures: int = 0
    compared: bool = True

    @property
    def record(self) -> dict[str, int | bool]:
        """What was counted and left out, for JSON."""
        return {
            "num_tied": self.num_tied,
            "num_gallery": self.num_gallery,
            "num_draws": self.num_draws,
            "num_unknown_queries": self.unknown_queries,
            "num_distractors": self.distractors,
            "num_own_pictures": self.own_pictures,
            "own_pictures_compared": self.compared,
        }


def _as_they_are(distance: DistanceRows) -> DistanceRows:
    return distance


class Entries(NamedTuple):
    """What a protocol ranks: queries, gallery entries (images or tracks), the matches among them, and queries' own pictures.

    ``rows`` makes the distance to the entries of that to the gallery's images.
    """

    query: Labels
    gallery: Labels
    match: MatchRule
    copies: Copies
    rows: Callable[[DistanceRows], DistanceRows] = _as_they_are


class Protocol:
    """How queries are ranked against a gallery and what is measured.

    Args:
        max_rank: length of the CMC.
        views: also measure mAP over matches in the query's own view and in another view, where views are known.
        fprs: false positive rates at which to give the true positive rate.
        top_k: mean average precision of the first ``top_k`` ranks only, named ``mAP@<top_k>``; None takes the whole ranking.
        normalizer: what the average precision of so many ranks is divided by, as in ``evaluate_ranking``.
        num_draws: how many times a protocol that draws its queries or its gallery at random does so.
        seed: of those draws.
        group: processes of ``torch.distributed`` that share the queries; each of them has to evaluate the same images.
    """

    title: ClassVar[str]
    """A few words for the head of a table."""
    description: ClassVar[str]
    """One sentence that says which gallery images count."""
    needs_labels: ClassVar[bool] = True
    """Whether identities have to be known."""

    def __init__(
        self,
        max_rank: int = 50,
        views: bool = True,
        fprs: Sequence[float] = (),
        *,
        top_k: int | None = None,
        normalizer: Normalizer = "all",
        num_draws: int = 10,
        seed: int = 0,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        self.max_rank = max_rank
        self.views = views
        self.fprs = tuple(fprs)
        self.top_k = top_k
        self.normalizer = normalizer
        self.num_draws = num_draws
        self.seed = seed
        self.group = group

    @property
    def record(self) -> dict[str, int | str]:
        """The options without which a number of this protocol cannot be read, for JSON."""
        return {} if self.top_k is None else {"top_k": self.top_k, "normalizer": self.normalizer}

    def label_rule(self, query: FeatureSet, gallery: FeatureSet) -> MatchRule:
        """Which gallery images of a query's identity the protocol lets count, by their labels; a subclass's business. Here all.

        Raises:
            InputError: the labels do not give what the protocol needs.
        """
        return any_image

    def match_rule(self, query: FeatureSet, gallery: FeatureSet) -> MatchRule:
        """Which gallery images of a query's identity are matches; the others are junk.

        They are those of ``label_rule``, but never the query's own picture: the same file, or a copy of it (``find_copies``).

        Raises:
            InputError: the labels do not give what the protocol needs.
        """
        return self._rule(query, gallery, own_pictures(query, gallery))

    def _rule(self, query: FeatureSet, gallery: FeatureSet, copies: Copies) -> MatchRule:
        rule = self.label_rule(query, gallery)
        return all_of(rule, other_image(copies.query, copies.gallery)) if copies.pairs else rule

    def entries(self, query: FeatureSet, gallery: FeatureSet) -> Entries:
        """What is ranked against what, here the images, and which gallery entries of a query's identity are matches.

        Raises:
            InputError: the labels do not give what the protocol needs.
        """
        copies = own_pictures(query, gallery)
        return Entries(Labels.of(query), Labels.of(gallery), self._rule(query, gallery, copies), copies)

    def check(self, query: FeatureSet, gallery: FeatureSet) -> None:
        """Refuses a test set by its labels alone, as ``__call__`` would: a training does so before its first iteration.

        All that a protocol needs it says in ``draws``, ``label_rule`` or ``entries``, so none can forget to say it here.

        Raises:
            InputError: the labels do not give what the protocol needs, or no query has a match.
        """
        if not self.needs_labels:
            return
        for asked, stored in [draw.of(query, gallery) for draw in self.draws(query, gallery)] or [(query, gallery)]:
            found = self.entries(asked, stored)
            self._check_identities(found.query)
            if not _any_match(found.query.pids, found.gallery.pids, found.match):
                raise self._no_match(len(asked))

    def __call__(self, query: FeatureSet, gallery: FeatureSet, distance: DistanceRows) -> ProtocolResult:
        """Evaluates the (Q, G) ``distance`` of the query images to the gallery images.

        Raises:
            InputError: the labels do not give what the protocol needs, or no query has a match.
        """
        found = self.entries(query, gallery)
        return self.measure(found.query, found.gallery, found.rows(distance), found.match, found.copies)

    def draws(self, query: FeatureSet, gallery: FeatureSet) -> Sequence[Selection]:
        """The random draws, each evaluated on its own and averaged; none where query and gallery are taken as they are.

        Raises:
            InputError: the labels do not give what the protocol needs.
        """
        return ()

    def summary(self, found: ProtocolResult, metric: str, reranking: str) -> str:
        """What every number has to be read with: the protocol, the metric, the re-ranking and what was left out."""
        size = f"{found.num_gallery:,}"
        sentences = [f"Protocol: {self.title} ({self.description}).", f"Metric {metric}, {reranking}."]
        if found.num_draws > 1:
            sentences.append(f"Means of {found.num_draws} draws (seed {self.seed}) with their standard deviations.")
        if self.top_k is not None and found.metrics:
            divisor = {"all": "all matches", "min": f"min(matches, {self.top_k})", "hits": "the matches found"}[self.normalizer]
            sentences.append(f"Average precision over the first {self.top_k} ranks, divided by {divisor}.")
        if found.ranking is not None:
            queries = found.ranking.num_queries
            left_out = queries - found.ranking.num_valid_queries
            unknown = f" ({found.unknown_queries:,} are of unknown vehicle)" if found.unknown_queries else ""
            others = f", {found.distractors:,} of them distractors of unknown vehicle" if found.distractors else ""
            sentences.append(
                f"{queries:,} queries, {left_out:,} of them left out for want of a match{unknown}; gallery of {size}{others}."
            )
        else:
            sentences.append(f"Gallery of {size}.")
        if found.own_pictures:
            sentences.append(
                f"Left out of the rankings: {found.own_pictures:,} gallery images that are the query's own picture, the same "
                "file or a copy of it."
            )
        if not found.compared:
            sentences.append("Whether the gallery holds queries' own pictures is not known: the images' files are not there.")
        if found.num_tied:
            sentences.append(
                f"WARNING: for {found.num_tied:,} queries an image of another vehicle is exactly as near as the first match; "
                "the gallery's order decides these, as it does where features are all alike."
            )
        if found.one_match and reranking != str(Pipeline()):
            sentences.append(
                "Nearly every query has one match only. Re-ranking draws on several images of a vehicle, and makes such data "
                "worse more often than better: compare with the ranking as it is."
            )
        return " ".join(sentences)

    def measure(
        self, query: Labels, gallery: Labels, distance: DistanceRows, match: MatchRule, copies: Copies | None = None
    ) -> ProtocolResult:
        """The metrics when ``match`` says which gallery entries of the query's identity count, and leaves ``copies`` out.

        ``mAP (same view)`` counts only matches in the query's view and ``mAP (cross view)`` only those in another one: the
        other matches are junk, while images of other identities stay, whatever their view (EALN, Table II).

        A query of unknown vehicle has no match; a gallery entry of unknown vehicle is a distractor.

        Raises:
            InputError: no query's identity is known, or none has a match.
        """
        unknown = self._check_identities(query)
        rules = {"": match}
        if self.views and (query.view_ids != UNKNOWN).any() and (gallery.view_ids != UNKNOWN).any():
            rules["same view"] = all_of(match, same_view(query.view_ids, gallery.view_ids))
            rules["cross view"] = all_of(match, other_view(query.view_ids, gallery.view_ids))
        found = evaluate_rules(
            distance, query.pids, gallery.pids, rules, top_k=self.top_k, normalizer=self.normalizer, group=self.group
        )
        if not found[""].num_valid:
            raise self._no_match(len(query.pids))
        ranking = found[""].summary(self.max_rank)
        mean = "mAP" if self.top_k is None else f"mAP@{self.top_k}"
        metrics = {mean: ranking.mAP}
        metrics |= {f"Rank-{rank}": float(ranking.cmc[rank - 1]) for rank in RANKS if rank <= self.max_rank}
        metrics |= {"mINP": ranking.mINP, "metric": (ranking.mAP + float(ranking.cmc[0])) / 2}
        metrics |= {f"{mean} ({name})": part.summary().mAP for name, part in found.items() if name and part.num_valid}
        if self.fprs:
            tprs = rule_tpr_at_fpr(distance, query.pids, gallery.pids, match, self.fprs, self.group)
            metrics |= {f"TPR@FPR={fpr:.0e}": tpr for fpr, tpr in zip(self.fprs, tprs, strict=True)}
        tied = count_tied_queries(distance, query.pids, gallery.pids, match)
        matches = found[""].num_matches
        one_match = np.count_nonzero(matches == 1) > _NEARLY_ALL * np.count_nonzero(matches)
        return ProtocolResult(
            metrics,
            ranking,
            distance.shape[1],
            num_tied=tied,
            one_match=one_match,
            unknown_queries=unknown,
            distractors=int(np.count_nonzero(gallery.pids == UNKNOWN)),
            own_pictures=copies.pairs if copies else 0,
            compared=copies is None or copies.compared,
        )

    def _check_identities(self, query: Labels) -> int:
        """The number of queries of unknown vehicle."""
        unknown = int(np.count_nonzero(query.pids == UNKNOWN))
        if unknown == len(query.pids):
            raise InputError(
                f"None of the {unknown} queries has an identity to evaluate with: for a test set without labels use "
                "TEST.PROTOCOL AICitySubmission, which writes the ranking."
            )
        if unknown and self.fprs:
            raise InputError(
                f"{unknown} of {len(query.pids)} queries are of unknown vehicle, so their pairs are neither positive nor "
                "negative: leave them out, or turn TEST.ROC.ENABLED off."
            )
        return unknown

    def _no_match(self, queries: int) -> InputError:
        return InputError(
            f"None of the {queries} queries has a match in the gallery ({self.title}): "
            "compare the identities and cameras of the two, or choose another TEST.PROTOCOL."
        )


def own_pictures(query: FeatureSet, gallery: FeatureSet) -> Copies:
    """Which gallery images are queries' own pictures."""
    return find_copies(Pictures.of(query), Pictures.of(gallery))


def _any_match(query_pids: np.ndarray, gallery_pids: np.ndarray, match: MatchRule) -> bool:
    """Whether any query has a match; stops at the first identity that has one."""
    by_query, by_gallery = np.argsort(query_pids, kind="stable"), np.argsort(gallery_pids, kind="stable")
    for pid in np.setdiff1d(np.intersect1d(query_pids, gallery_pids), UNKNOWN):
        asked, stored = (
            order[slice(*np.searchsorted(pids, [pid, pid + 1], sorter=order))]
            for order, pids in ((by_query, query_pids), (by_gallery, gallery_pids))
        )
        if match(np.repeat(asked, len(stored)), np.tile(stored, len(asked))).any():
            return True
    return False
