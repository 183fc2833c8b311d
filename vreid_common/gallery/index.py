"""Approximate nearest neighbours by faiss, with the recall that they were measured to have.

Shape shorthand: Q queries, N images, K neighbours, D feature dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import faiss
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vreid_common.errors import InputError
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.structures import FeatureRows

__all__ = ["INDEX_KINDS", "Index", "Recall", "build_index"]

INDEX_KINDS = ("exact", "ivf", "hnsw")
"""What finds neighbours: all images are compared; those of the nearest clusters; those that a graph leads to."""

_METRICS = ("cosine", "euclidean")
_BLOCK = 65536
"""Images that are normalised at a time."""
_LINKS, _BUILD_EFFORT = 32, 80
"""Of the graph (Malkov and Yashunin's M and efConstruction)."""
_POINTS_A_CLUSTER = 39
"""faiss advises at least so many."""
_RECALL_RANKS, _RECALL_QUERIES = 100, 256
_LEAST_IN_VIEW = 128
"""faiss keeps as many images in view as are asked for at least, so fewer would be measured better than they are."""


@dataclass(frozen=True)
class Recall:
    """How much of the exact neighbours an index finds.

    Attributes:
        value: the share found of the ``ranks`` nearest other images, the mean over ``queries`` images of the gallery itself.
    """

    value: float
    ranks: int
    queries: int

    def __str__(self) -> str:
        return f"recall {self.value:.4f} of the {self.ranks} nearest, measured with {self.queries} of the images"


@dataclass(frozen=True, eq=False)
class Index:
    """An index of N images, numbered as they were added.

    Attributes:
        kind: "ivf" or "hnsw".
        metric: "cosine" or "euclidean"; for the cosine images and queries are normalised here.
        effort: clusters looked at ("ivf"), or images kept in view while the graph is walked ("hnsw").
        trained_on: how many images there were when the clusters were chosen.
        recall: as measured with this effort.
        faiss_index: faiss's own object, which numbers images from 0.
    """

    kind: str
    metric: str
    effort: int
    trained_on: int
    recall: Recall
    faiss_index: faiss.Index

    def search(self, query: Tensor, k: int) -> Tensor:
        """The ``k`` nearest images that the index finds, (Q, K) int64 in no certain order; -1 where it finds fewer.

        Args:
            query: (Q, D) float32.
            k: K, at least 1; all N where there are fewer.
        """
        return _search(self.faiss_index, self.kind, self.metric, self.effort, query, k)

    def added(self, features: Tensor, first: int, wanted: float) -> Index:
        """The index with the images from row ``first`` of ``features`` (N, D) added, and its recall measured again.

        Clusters are chosen anew once there are more than twice as many images as they were chosen with.
        """
        if self.kind == "ivf" and len(features) > 2 * self.trained_on:
            return build_index(features, self.kind, self.metric, wanted)
        extended = faiss.clone_index(self.faiss_index)
        for block in _blocks(features[first:], self.metric):
            extended.add(block)
        return _tuned(replace(self, faiss_index=extended), features, wanted)


def build_index(features: Tensor, kind: str, metric: str = "cosine", wanted: float = 0.99) -> Index:
    """An index whose effort is the least power of two that reaches a recall.

    Args:
        features: (N, D) float32, N >= 1; may be mapped from a file.
        kind: "ivf" (inverted file, k-means clusters) or "hnsw" (Malkov and Yashunin, "Efficient and robust approximate nearest
            neighbor search using hierarchical navigable small world graphs", TPAMI 2018).
        metric: "cosine" or "euclidean".
        wanted: recall to reach, above 0 and up to 1. It is measured with images of the gallery, for which an index finds more
            than for new ones.

    Raises:
        InputError: a value cannot be used.
    """
    if kind not in INDEX_KINDS[1:]:
        raise InputError(f"The index is {kind!r}: use one of {', '.join(INDEX_KINDS)}.")
    if metric not in _METRICS:
        raise InputError(f"An index is by {' or '.join(_METRICS)}, not by {metric}: search without one (exact).")
    if not 0 < wanted <= 1:
        raise InputError(f"The recall to reach is {wanted}: use a number above 0, up to 1.")
    faiss.omp_set_num_threads(torch.get_num_threads())
    num_images, dim = features.shape
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, _LINKS)
        index.hnsw.efConstruction = _BUILD_EFFORT
    else:
        clusters = max(1, min(round(4 * math.sqrt(num_images)), num_images // _POINTS_A_CLUSTER))
        index = faiss.index_factory(dim, f"IVF{clusters},Flat")
        index.cp.min_points_per_centroid = 1  # faiss would say on standard error that a small gallery has few
        index.train(_normalized(features[_spread(num_images, 64 * clusters)], metric))
    for block in _blocks(features, metric):
        index.add(block)
    unmeasured = Recall(0.0, 0, 0)
    return _tuned(Index(kind, metric, 1, num_images, unmeasured, index), features, wanted)


def _tuned(index: Index, features: Tensor, wanted: float) -> Index:
    """The index with the least effort that reaches the recall, or with the greatest that there is."""
    num_images = len(features)
    ranks = min(_RECALL_RANKS, num_images - 1)
    if not ranks:
        return replace(index, effort=1, recall=Recall(1.0, 0, 0))
    own = _spread(num_images, _RECALL_QUERIES)
    query = features[own]
    expected = _others(torch.from_numpy(rank_list(FeatureRows(query, features, index.metric), ranks + 1)), own, ranks)
    greatest = index.faiss_index.nlist if index.kind == "ivf" else num_images
    effort = 1 if index.kind == "ivf" else _LEAST_IN_VIEW
    while True:
        index = replace(index, effort=effort)
        found = _others(index.search(query, ranks + 1), own, ranks)
        hits = sum(len(np.intersect1d(*rows)) for rows in zip(found, expected, strict=True))
        index = replace(index, recall=Recall(hits / (ranks * len(own)), ranks, len(own)))
        if index.recall.value >= wanted or effort >= greatest:
            return index
        effort = min(2 * effort, greatest)


def _others(found: Tensor, own: Tensor, ranks: int) -> list[np.ndarray]:
    """Of each query's images the first ``ranks`` that are there and are not the query itself."""
    return [row[(row != image) & (row >= 0)][:ranks].numpy() for row, image in zip(found, own, strict=True)]


def _search(index: faiss.Index, kind: str, metric: str, effort: int, query: Tensor, k: int) -> Tensor:
    faiss.omp_set_num_threads(torch.get_num_threads())
    parameters = faiss.SearchParametersIVF(nprobe=effort) if kind == "ivf" else faiss.SearchParametersHNSW(efSearch=effort)
    _, found = index.search(_normalized(query, metric), min(k, index.ntotal), params=parameters)
    return torch.from_numpy(found)


def _blocks(features: Tensor, metric: str) -> Iterator[np.ndarray]:
    blocks = features.split(_BLOCK)
    for block in tqdm(blocks, desc="index", unit="block", leave=False, disable=len(blocks) == 1):
        yield _normalized(block, metric)


def _normalized(features: Tensor, metric: str) -> np.ndarray:
    """Of unit length for the cosine, so that squared Euclidean distances, which faiss compares, rank as cosines do."""
    features = torch.nn.functional.normalize(features, dim=1) if metric == "cosine" else features
    return np.ascontiguousarray(features.cpu().numpy())


def _spread(num_images: int, wanted: int) -> Tensor:
    """At most ``wanted`` image numbers at even distances."""
    return torch.linspace(0, num_images - 1, min(wanted, num_images)).round().long().unique()
