"""Re-ranking of the first K images against the whole pipeline applied to these K by hand."""

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.reranking import k_reciprocal
from vreid_common.reranking.candidates import NO_CANDIDATE, rerank_candidates
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import FeatureSet


def images(features: np.ndarray, tracks: int = 4) -> FeatureSet:
    return FeatureSet.create(features, np.zeros(len(features), int), track_ids=np.arange(len(features)) % tracks)


def draw_candidates(queries: int, images: int, k: int) -> torch.Tensor:
    rng = np.random.default_rng(5)
    return torch.from_numpy(np.stack([rng.permutation(images)[:k] for _ in range(queries)]))


def test_feature_k_reciprocal_of_each_query_with_its_candidates_alone(pair):
    query, gallery = pair
    candidates = draw_candidates(len(query), len(gallery), 9)
    pipeline = build_pipeline([{"k_reciprocal": {"k1": 4, "k2": 2}}], "euclidean")
    indices, distances = rerank_candidates(pipeline, images(query), images(gallery), candidates)
    for row, chosen in enumerate(candidates.numpy()):
        chosen = np.sort(chosen)
        expected = k_reciprocal(query[row : row + 1], gallery[chosen], 4, 2)[0]
        order = np.lexsort((chosen, expected))
        np.testing.assert_array_equal(indices[row], chosen[order])
        np.testing.assert_allclose(distances[row], expected[order], atol=1e-6)


STEPS = [
    "alpha_query_expansion",
    "database_augmentation",
    "diffusion",
    "graph_propagation",
    "tracklet_distance",
    "k_reciprocal",
]


@pytest.mark.parametrize("step", STEPS)
def test_feature_all_images_as_candidates_are_the_whole_ranking(step):
    rng = np.random.default_rng(0)
    query, gallery = images(rng.normal(size=(3, 6))), images(rng.normal(size=(20, 6)))
    pipeline = build_pipeline([{step: {}}])
    indices, distances = rerank_candidates(pipeline, query, gallery, draw_candidates(3, 20, 20))
    for row in range(3):
        whole = pipeline(query.select([row]), gallery).distance.rows(0, 1)[0]
        assert indices[row].tolist() == whole.argsort(stable=True).tolist()
        torch.testing.assert_close(distances[row], whole.sort().values)


def test_feature_without_steps_it_sorts_by_the_features(pair):
    query, gallery = (images(side) for side in pair)
    candidates = draw_candidates(len(query), len(gallery), 5)
    indices, distances = rerank_candidates(Pipeline(), query, gallery, candidates)
    shuffled = candidates.flip(dims=(1,))
    again, _ = rerank_candidates(Pipeline(), query, gallery, shuffled)
    assert torch.equal(indices, again)
    assert (distances.diff(dim=1) >= 0).all()
    tied = distances.diff(dim=1) == 0
    assert (indices.diff(dim=1)[tied] > 0).all()


def test_cardinality_of_missing_candidates():
    gallery = images(np.eye(4, dtype=np.float32))
    candidates = torch.tensor([[NO_CANDIDATE, 2, NO_CANDIDATE, 1], [NO_CANDIDATE] * 4])
    indices, distances = rerank_candidates(Pipeline(), images(np.eye(4, dtype=np.float32)[1:3]), gallery, candidates)
    assert indices.tolist() == [[1, 2, -1, -1], [-1] * 4]
    assert distances.tolist() == [[0, 1, torch.inf, torch.inf], [torch.inf] * 4]
    assert candidates[0].tolist() == [NO_CANDIDATE, 2, NO_CANDIDATE, 1]
    none = rerank_candidates(
        Pipeline(), images(np.eye(4, dtype=np.float32)[1:3]), gallery, torch.empty(2, 0, dtype=torch.int64)
    )
    assert [tuple(part.shape) for part in none] == [(2, 0), (2, 0)]


def test_exception():
    four = images(np.eye(4, dtype=np.float32))
    with pytest.raises(ValueError, match=r"The candidates of 4 queries are \(4, K\), got \(3, 2\)"):
        rerank_candidates(Pipeline(), four, four, torch.zeros(3, 2, dtype=torch.int64))
    untracked = FeatureSet.create(np.eye(4), np.zeros(4, int))
    with pytest.raises(InputError, match="needs track ids"):
        rerank_candidates(build_pipeline(["tracklet_distance"]), four, untracked, torch.zeros(4, 2, dtype=torch.int64))
    with pytest.raises(IndexError):
        rerank_candidates(Pipeline(), four, four, torch.full((4, 1), 4))
