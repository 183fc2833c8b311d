"""A gallery: the images that are searched, what compares them, and the index that finds neighbours.

Shape shorthand: Q queries, N images, K ranks, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.gallery.index import Index, build_index
from vreid_common.reranking.candidates import rerank_candidates
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import FeatureRows, FeatureSet, check_models, join_sets

__all__ = ["Gallery"]


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images that are searched. Adding and removing give another gallery; ``edit_gallery`` does so on disk.

    Attributes:
        images: N >= 1 images; features may be mapped from a file.
        metric: what compares features; one of ``METRICS``, and "cosine" or "euclidean" with an index.
        index: what finds neighbours; None compares with every image.
        wanted_recall: that the index was tuned to.
        model: what the features were made with, as JSON; None where that is not known.

    Raises:
        InputError: there is no image.
    """

    images: FeatureSet
    metric: str = "cosine"
    index: Index | None = None
    wanted_recall: float = 0.99
    model: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not len(self.images):
            raise InputError("A gallery needs at least one image.")

    @classmethod
    def build(
        cls,
        images: FeatureSet,
        metric: str = "cosine",
        index: str = "exact",
        wanted_recall: float = 0.99,
        model: dict[str, Any] | None = None,
    ) -> Gallery:
        """A gallery with an index of a kind, one of ``INDEX_KINDS``.

        Raises:
            InputError: there is no image, one has its path twice, or the index cannot be built.
        """
        _check_new(images, ())
        gallery = cls(images, metric, None, wanted_recall, model)
        if index == "exact":
            return gallery
        return replace(gallery, index=build_index(images.features, index, metric, wanted_recall))

    def search(
        self, query: FeatureSet, k: int, pipeline: Pipeline | None = None, candidates: int = 100, *, exact: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The first ``k`` images of each query.

        Distances are computed from the features, so an index changes which images are found, not how far they are.

        Args:
            query: Q images.
            k: ranks, at least 1; all N where there are fewer.
            pipeline: re-ranks each query's first ``candidates`` images, as ``rerank_candidates`` does; None leaves them as they
                are.
            candidates: at least ``k`` are taken.
            exact: compare with every image although there is an index.

        Returns:
            Indices (Q, K) int64 and distances (Q, K) float32, nearest first; -1 and infinity where an index found fewer.

        Raises:
            InputError: the queries are of another model or have other dimensions, or a step cannot work on them.
        """
        check_models(self.images.model, query.model, "The gallery", "the queries")
        ours, theirs = self.images.features.shape[1], query.features.shape[1]
        if ours != theirs:
            raise InputError(
                f"The query's features have {theirs} dimensions and the gallery's {ours}: both must come from one model."
            )
        wanted = k if pipeline is None else max(k, candidates)
        found = self._neighbors(query.features, wanted, exact)
        indices, distances = rerank_candidates(pipeline or Pipeline(metric=self.metric), query, self.images, found)
        return indices[:, :k], distances[:, :k]

    def added(self, images: FeatureSet) -> Gallery:
        """The gallery with further images at its end, joined by the names of vehicles, cameras and tracks.

        Raises:
            InputError: they are of another model or have other dimensions, one of their paths is there already, or one side has
                names and the other bare numbers.
        """
        _check_new(images, self.images.paths)
        ours, theirs = self.images.features.shape[1], images.features.shape[1]
        if ours != theirs:
            raise InputError(f"The new features have {theirs} dimensions and the gallery's {ours}: use the gallery's model.")
        joined = FeatureSet.concatenate(join_sets([self.images, images], ["The gallery", "the set of new images"]))
        index = None if self.index is None else self.index.added(joined.features, len(self.images), self.wanted_recall)
        return replace(self, images=joined, index=index)

    def removed(self, paths: Sequence[str]) -> Gallery:
        """The gallery without the images of these paths, its index built anew.

        Raises:
            InputError: no image has such a path, or none would be left.
        """
        known = set(self.images.paths)
        unknown = [path for path in paths if path not in known]
        if unknown:
            more = f", nor are {len(unknown) - 1} more of those to remove" if len(unknown) > 1 else ""
            raise InputError(f"{unknown[0]} is not in the gallery{more}.")
        gone = set(paths)
        kept = self.images.select([row for row, path in enumerate(self.images.paths) if path not in gone])
        kind = "exact" if self.index is None else self.index.kind
        return Gallery.build(kept, self.metric, kind, self.wanted_recall, self.model)

    def _neighbors(self, query: Tensor, k: int, exact: bool) -> Tensor:
        if self.index is None or exact:
            return torch.from_numpy(rank_list(FeatureRows(query, self.images.features, self.metric), k))
        return self.index.search(query, k)


def _check_new(images: FeatureSet, known: Sequence[str]) -> None:
    """Whether a path, by which an image is removed, is that of one image; images without a path are all alike."""
    seen = set(known)
    for path in filter(None, images.paths):
        if path in seen:
            raise InputError(f"{path} would be in the gallery twice: remove it first.")
        seen.add(path)
