"""Searching one gallery again and again, as a page does: a query and settings in, a ranking out. Nothing of a page is here.

Shape shorthand: Q queries, G gallery images, P images of them that are searched, D feature dimensions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath

import torch
from torch import Tensor

from vreid_common.browse.filters import Filter
from vreid_common.data import ImageReadError
from vreid_common.errors import InputError
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.evaluation.rules import any_image, other_camera
from vreid_common.report.rank_lists import RankList, rank_lists
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import UNKNOWN, DistanceRows, FeatureRows, FeatureSet, check_models, join_sets

__all__ = ["Answer", "Session", "Settings"]

_KEPT = 4
"""Rankings of all queries: going back to one costs nothing."""


@dataclass(frozen=True)
class Settings:
    """How a gallery is searched.

    Attributes:
        pipeline: name of a re-ranking.
        among: which images are searched; of the others nothing is seen, by re-ranking either.
        top: matches at most, at least 1.
        own_camera: whether images of the query's vehicle from the query's own camera are shown. Like the usual protocol, a
            search leaves them out after ranking.
    """

    pipeline: str
    among: Filter = field(default_factory=Filter)
    top: int = 20
    own_camera: bool = False


@dataclass(frozen=True, eq=False)
class Answer:
    """What a search found.

    Attributes:
        query: the query alone.
        ranking: its matches; ``images`` are rows of the gallery.
        searched: P.
        left_out: images of the query's vehicle from its own camera among them, where these are not shown.
    """

    query: FeatureSet
    ranking: RankList
    searched: int
    left_out: int


class Session:
    """A gallery with what it is searched by. May be called by several threads, one of which then works at a time.

    A query of ``query`` is ranked together with the others, as ``vreid rerank`` does, if ``candidates`` is None. All others are
    ranked alone: a picture, an image of the gallery, and every one where only candidates are re-ranked, as by ``vreid search``.

    Args:
        gallery: G >= 1 images.
        pipelines: name → re-ranking, all of one metric; at least one.
        query: Q >= 1 images to pick from; None picks from the gallery's, of which the picked one is then not searched.
        further: name → (query, gallery) with other features of the same images, for pipelines that take them.
        candidates: re-rank only so many images nearest to the query; no others are found. None re-ranks all.
        embed: gives the feature of an image file; None where pictures cannot be searched for.

    Raises:
        InputError: there are no images, or queries and gallery are not of one model.
    """

    def __init__(
        self,
        gallery: FeatureSet,
        pipelines: Mapping[str, Pipeline],
        query: FeatureSet | None = None,
        *,
        further: Mapping[str, tuple[FeatureSet, FeatureSet]] | None = None,
        candidates: int | None = None,
        embed: Callable[[str], FeatureSet] | None = None,
    ) -> None:
        if not (len(gallery) and (query is None or len(query))):
            raise InputError("There are no images to search, or none to search for.")
        if query is not None:
            _check_dimensions(query, gallery, "query")
            gallery, query = join_sets([gallery, query], ["The gallery", "the set of queries"])
        self.gallery = gallery
        self.pipelines = dict(pipelines)
        self.query = query
        self.candidates = candidates
        self._further = dict(further or {})
        self._embed = embed
        self._of_all_queries = lru_cache(_KEPT)(self._rank_all_queries)
        # Threads that step on each other's: numba's do not take two callers, and two re-rankings would double the memory.
        self._lock = threading.Lock()

    @property
    def pool(self) -> FeatureSet:
        """The images that a query can be picked from."""
        return self.gallery if self.query is None else self.query

    def find(self, text: str) -> list[int]:
        """Rows of the pool whose vehicle is called ``text`` or whose path has it as a part; all rows for ""."""
        wanted, pool = text.strip(), self.pool
        pids = [pid for pid in pool.pids.unique().tolist() if pool.names.of("pids", pid) == wanted]
        named = torch.isin(pool.pids, torch.tensor(pids, dtype=torch.int64)).tolist()
        return [row for row, path in enumerate(pool.paths) if wanted in path or named[row]]

    def pick(self, row: int, settings: Settings) -> Answer:
        """Searches for the image in a row of the pool.

        Raises:
            InputError: there is no such row or pipeline, or the pipeline cannot work on what it gets.
        """
        if not 0 <= row < len(self.pool):
            raise InputError(f"There is no query {row}: there are {len(self.pool)}, counted from 0.")
        pipeline = self._pipeline(settings)
        with self._lock:
            images = settings.among.rows(self.gallery)
            if self.query is None:
                return self._alone(self.gallery.select([row]), images[images != row], pipeline, settings)
            if self.candidates is not None or not len(images):
                return self._alone(self.query.select([row]), images, pipeline, settings)
            part, distance = self._of_all_queries(settings.pipeline, settings.among)
            return _answer(self.query, row, images, part, distance, settings)

    def ask(self, path: str, settings: Settings) -> Answer:
        """Searches for an image file, whose vehicle, camera and time are unknown.

        Raises:
            InputError: pictures cannot be searched for, the file cannot be read, its feature is not like the gallery's, there
                is no such pipeline, or it cannot work on one query.
        """
        pipeline = self._pipeline(settings)
        if self._embed is None:
            raise InputError("There is no model to search for pictures with.")
        with self._lock:
            try:
                query = self._embed(path)
            except ImageReadError as error:  # where an upload lies is nobody's business
                raise InputError(str(error).replace(path, PurePath(path).name)) from error
            _check_dimensions(query, self.gallery, "picture")
            check_models(self.gallery.model, query.model, "The gallery", "the picture's feature")
            query = query.to(self.gallery.features.device)
            return self._alone(query, settings.among.rows(self.gallery), pipeline, settings)

    def _pipeline(self, settings: Settings) -> Pipeline:
        if settings.top < 1:
            raise InputError(f"{settings.top} matches are asked for: ask for 1 or more.")
        if settings.pipeline not in self.pipelines:
            raise InputError(f"There is no re-ranking {settings.pipeline!r}: there are {', '.join(self.pipelines)}.")
        return self.pipelines[settings.pipeline]

    def _rank_all_queries(self, name: str, among: Filter) -> tuple[FeatureSet, DistanceRows]:
        """The images that are searched, and the distance of all queries to them."""
        assert self.query is not None
        images = among.rows(self.gallery)
        part = _part(self.gallery, images)
        further = {name: (query, _part(gallery, images)) for name, (query, gallery) in self._further.items()}
        return part, self.pipelines[name](self.query, part, further).distance

    def _alone(self, query: FeatureSet, images: Tensor, pipeline: Pipeline, settings: Settings) -> Answer:
        """The answer to one query, with P ``images`` as the whole gallery."""
        if not len(images):
            return Answer(query, RankList(settings.pipeline, 0, (), (), ()), 0, 0)
        part = _part(self.gallery, images)
        searched = len(part)
        if self.candidates is not None and self.candidates < searched:
            nearest = rank_list(FeatureRows(query.features, part.features, pipeline.metric), self.candidates)[0]
            chosen = torch.from_numpy(nearest).sort().values  # in the gallery's order, by which steps settle ties
            images, part = images[chosen], part.select(chosen)
        found = _answer(query, 0, images, part, pipeline(query, part).distance, settings)
        return replace(found, searched=searched)


def _check_dimensions(query: FeatureSet, gallery: FeatureSet, name: str) -> None:
    theirs, ours = query.features.shape[1], gallery.features.shape[1]
    if ours != theirs:
        raise InputError(
            f"The {name}'s features have {theirs} dimensions and the gallery's {ours}: both must come from one model."
        )


def _part(images: FeatureSet, rows: Tensor) -> FeatureSet:
    """The images of rising ``rows``; all of them are not copied."""
    return images if len(rows) == len(images) else images.select(rows)


def _answer(
    query: FeatureSet, row: int, images: Tensor, part: FeatureSet, distance: DistanceRows, settings: Settings
) -> Answer:
    match = any_image if settings.own_camera else other_camera(query.camids.numpy(), part.camids.numpy())
    (found,) = rank_lists(query, part, {settings.pipeline: distance}, [row], settings.top, match)
    pid, camid = int(query.pids[row]), int(query.camids[row])
    own = (part.pids == pid) & (part.camids == camid)
    known = UNKNOWN not in (pid, camid)
    left_out = int(own.sum()) if known and not settings.own_camera else 0
    in_gallery = tuple(images[list(found.images)].tolist())
    return Answer(query.select([row]), replace(found, images=in_gallery), len(part), left_out)
