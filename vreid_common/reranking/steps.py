"""The techniques of this package as steps. A step's name and parameters are those of its function.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vreid_common.registry import RERANK_REGISTRY
from vreid_common.reranking.database_augmentation import database_augmentation
from vreid_common.reranking.diffusion import DiffusionRows
from vreid_common.reranking.distance_mean import MeanDistanceRows
from vreid_common.reranking.dual_embedding import dual_embedding_expansion
from vreid_common.reranking.expansion import normalize_
from vreid_common.reranking.fusion import FusedDistanceRows, fuse_features
from vreid_common.reranking.graph_propagation import GraphPropagationRows
from vreid_common.reranking.k_reciprocal import k_reciprocal_rows
from vreid_common.reranking.pulled_rows import PulledTrackletRows
from vreid_common.reranking.query_expansion import alpha_query_expansion, average_query_expansion
from vreid_common.reranking.step import DistanceStep, FeatureStep, MergingStep, RescoringStep, parameter
from vreid_common.reranking.tracklets import TrackletDistanceRows, average_tracklets
from vreid_common.structures import DistanceRows, FeatureRows, Retrieval

__all__ = [
    "AlphaQueryExpansion",
    "AverageDistances",
    "AverageQueryExpansion",
    "AverageTracklets",
    "DatabaseAugmentation",
    "Diffusion",
    "DualEmbeddingExpansion",
    "FuseDistances",
    "GraphPropagation",
    "KReciprocal",
    "PullTracklets",
    "TrackletDistance",
]


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class AverageQueryExpansion(FeatureStep):
    """See ``average_query_expansion``."""

    name = "average_query_expansion"
    k: int = parameter(20, low=1)

    def features(self, retrieval: Retrieval) -> tuple[Tensor, Tensor]:
        query, gallery = retrieval.query.features, retrieval.gallery.features
        return average_query_expansion(query, gallery, self.k), _of_like_length(gallery, retrieval.metric)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class AlphaQueryExpansion(FeatureStep):
    """See ``alpha_query_expansion``; with several rounds the expanded queries are expanded again."""

    name = "alpha_query_expansion"
    k: int = parameter(20, low=1)
    alpha: float = parameter(2.0, low=0)
    rounds: int = parameter(1, low=1)

    def features(self, retrieval: Retrieval) -> tuple[Tensor, Tensor]:
        query, gallery = retrieval.query.features, retrieval.gallery.features
        for _ in range(self.rounds):
            query = alpha_query_expansion(query, gallery, self.k, self.alpha)
        return query, _of_like_length(gallery, retrieval.metric)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class DualEmbeddingExpansion(FeatureStep):
    """See ``dual_embedding_expansion``."""

    name = "dual_embedding_expansion"
    needs_tracks = True
    k: int = parameter(20, low=1)
    alpha: float = parameter(2.0, low=0)

    def features(self, retrieval: Retrieval) -> tuple[Tensor, Tensor]:
        query, gallery = retrieval.query.features, retrieval.gallery.features
        expanded = dual_embedding_expansion(query, gallery, retrieval.gallery.track_ids, self.k, self.alpha)
        return expanded, _of_like_length(gallery, retrieval.metric)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class DatabaseAugmentation(FeatureStep):
    """See ``database_augmentation``."""

    name = "database_augmentation"
    k: int = parameter(10, low=1)
    alpha: float = parameter(0.0, low=0)

    def features(self, retrieval: Retrieval) -> tuple[Tensor, Tensor]:
        augmented = database_augmentation(retrieval.gallery.features, self.k, self.alpha)
        return _of_like_length(retrieval.query.features, retrieval.metric), augmented


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class AverageTracklets(FeatureStep):
    """See ``average_tracklets``."""

    name = "average_tracklets"
    needs_tracks = True
    weight: float = parameter(1.0, low=0, high=1)

    def features(self, retrieval: Retrieval) -> tuple[Tensor, Tensor]:
        averaged = average_tracklets(retrieval.gallery.features, retrieval.gallery.track_ids, self.weight)
        return _of_like_length(retrieval.query.features, retrieval.metric), averaged


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class KReciprocal(DistanceStep):
    """See ``k_reciprocal``. Where the metric is the cosine, it works on features of unit length.

    After ``fuse_distances`` it re-ranks by the fused squared Euclidean distance of all images, queries and gallery.
    """

    name = "k_reciprocal"
    metrics = ("cosine", "euclidean")
    follows = ("fuse_distances",)
    k1: int = parameter(20, low=1)
    k2: int = parameter(6, low=1)
    lambda_value: float = parameter(0.3, low=0, high=1)

    def distance(self, retrieval: Retrieval) -> DistanceRows:
        factors = retrieval.distance.factors if isinstance(retrieval.distance, FusedDistanceRows) else {}
        sides = []
        for side, images in enumerate((retrieval.query, retrieval.gallery)):
            parts = {"identity": images, **{name: retrieval.further[name][side] for name in factors}}
            features = {name: part.features for name, part in parts.items()}
            if retrieval.metric == "cosine":
                features = {name: normalize_(part.clone()) for name, part in features.items()}
            sides.append(fuse_features(**features, **{f"lambda_{name}": factor for name, factor in factors.items()}))
        (query, negative_dims), (gallery, _) = sides
        return k_reciprocal_rows(query, gallery, **self.parameters, negative_dims=negative_dims, group=retrieval.group)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class Diffusion(DistanceStep):
    """See ``diffusion`` and, for how its similarity becomes a distance, ``DiffusionRows``."""

    name = "diffusion"
    k: int = parameter(50, low=1)
    kq: int = parameter(25, low=1)
    alpha: float = parameter(0.95, low=0, below=1)
    gamma: float = parameter(3.0, low=0)
    iterations: int = parameter(25, low=1)
    solver: str = parameter("iteration", choices=("iteration", "conjugate_gradient"))

    def distance(self, retrieval: Retrieval) -> DistanceRows:
        query, gallery = retrieval.query.features.contiguous(), retrieval.gallery.features.contiguous()
        return DiffusionRows(query, gallery, **self.parameters)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class GraphPropagation(DistanceStep):
    """See ``graph_propagation``."""

    name = "graph_propagation"
    k1: int = parameter(26, low=1)
    k2: int = parameter(7, low=1)
    alpha: float = parameter(2.0, low=0)
    rounds: int = parameter(2, low=1)

    def distance(self, retrieval: Retrieval) -> DistanceRows:
        query, gallery = retrieval.query.features.contiguous(), retrieval.gallery.features.contiguous()
        return GraphPropagationRows(query, gallery, **self.parameters)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class TrackletDistance(RescoringStep):
    """See ``tracklet_distance``."""

    name = "tracklet_distance"
    needs_tracks = True
    reduce: str = parameter("mean", choices=("mean", "min"))

    def rescore(self, retrieval: Retrieval) -> DistanceRows:
        return TrackletDistanceRows(retrieval.distance, retrieval.gallery.track_ids, self.reduce)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class PullTracklets(RescoringStep):
    """See ``pull_tracklets``; the distance of an image is its place in the pulled ranking."""

    name = "pull_tracklets"
    needs_tracks = True

    def rescore(self, retrieval: Retrieval) -> DistanceRows:
        return PulledTrackletRows(retrieval.distance, retrieval.gallery.track_ids)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class FuseDistances(RescoringStep):
    """See ``fuse_distances``. Orientation and camera features, or one of the two, come as further features of those names."""

    name = "fuse_distances"
    further = ("orientation", "camera")
    lambda_orientation: float = parameter(0.1)
    lambda_camera: float = parameter(0.1)

    def rescore(self, retrieval: Retrieval) -> DistanceRows:
        others = {
            name: FeatureRows(query.features, gallery.features, retrieval.metric)
            for name, (query, gallery) in retrieval.further.items()
            if name in self.further
        }
        return FusedDistanceRows(retrieval.distance, **others, **self.parameters)


@RERANK_REGISTRY.register()
@dataclass(frozen=True)
class AverageDistances(MergingStep):
    """See ``average_distances``. The other models' features of the same images come as further features of these names."""

    name = "average_distances"
    further = tuple(f"model_{number}" for number in range(2, 10))

    def merged(self, distances: Sequence[DistanceRows]) -> DistanceRows:
        return MeanDistanceRows(distances)


def _of_like_length(features: Tensor, metric: str) -> Tensor:
    """The side that a step leaves alone: of unit length like the other one, unless the metric does not see lengths."""
    return features if metric == "cosine" else normalize_(features.clone())
