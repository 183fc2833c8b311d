"""Re-ranking: each technique as a function, as rows that are computed when read, and as a step. See docs/reranking.md."""

from vreid_common.reranking.candidates import NO_CANDIDATE, rerank_candidates
from vreid_common.reranking.database_augmentation import database_augmentation
from vreid_common.reranking.diffusion import DiffusionRows, diffusion
from vreid_common.reranking.distance_mean import MeanDistanceRows, average_distances
from vreid_common.reranking.dual_embedding import dual_embedding_expansion
from vreid_common.reranking.fusion import FusedDistanceRows, fuse_distances, fuse_features
from vreid_common.reranking.graph_propagation import GraphPropagationRows, graph_propagation
from vreid_common.reranking.k_reciprocal import k_reciprocal, k_reciprocal_rows
from vreid_common.reranking.neighbors import nearest_neighbors
from vreid_common.reranking.pipeline import Pipeline, build_pipeline, compared_pipelines, pipeline_from_config
from vreid_common.reranking.query_expansion import alpha_query_expansion, average_query_expansion
from vreid_common.reranking.tracklets import TrackletDistanceRows, average_tracklets, pull_tracklets, tracklet_distance

__all__ = [
    "NO_CANDIDATE",
    "DiffusionRows",
    "FusedDistanceRows",
    "GraphPropagationRows",
    "MeanDistanceRows",
    "Pipeline",
    "TrackletDistanceRows",
    "alpha_query_expansion",
    "average_distances",
    "average_query_expansion",
    "average_tracklets",
    "build_pipeline",
    "compared_pipelines",
    "database_augmentation",
    "diffusion",
    "dual_embedding_expansion",
    "fuse_distances",
    "fuse_features",
    "graph_propagation",
    "k_reciprocal",
    "k_reciprocal_rows",
    "nearest_neighbors",
    "pipeline_from_config",
    "pull_tracklets",
    "rerank_candidates",
    "tracklet_distance",
]
