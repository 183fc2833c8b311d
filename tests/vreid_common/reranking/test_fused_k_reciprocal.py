"""k-reciprocal re-ranking by the fused distance: Zhong's definition on the dense fused matrix, of which ours never has one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.reranking import tile_search
from vreid_common.reranking.device_search import search_on_device
from vreid_common.reranking.distance_mean import average_distances
from vreid_common.reranking.fusion import fuse_distances, fuse_features
from vreid_common.reranking.k_reciprocal import k_reciprocal, k_reciprocal_rows
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.pipeline import build_pipeline
from vreid_common.reranking.reciprocal_on_device import DeviceRows
from vreid_common.structures import FeatureSet

PARAMETERS = [(20, 6, 0.3), (50, 15, 0.5), (7, 1, 0.0), (3, 4, 1.0), (1, 2, 0.3)]


def signed_matrix(features, negative):
    """(N, N) squared distances, those of the last ``negative`` dimensions subtracted, in float64."""
    features = np.asarray(features, np.float64)
    signs = np.where(np.arange(features.shape[1]) < features.shape[1] - negative, 1.0, -1.0)
    return np.stack([(signs * (features - x) ** 2).sum(axis=1) for x in features])


def plain(matrix, queries, k1, k2, lambda_value):
    """Zhong et al. 2017 on a given symmetric matrix, in float64, step by step."""
    images = len(matrix)
    rank = np.argsort(matrix, axis=1, kind="stable")
    farthest = matrix.max(axis=1, keepdims=True)
    distance = np.divide(matrix, farthest, out=np.zeros_like(matrix), where=farthest > 0)

    def reciprocal(i, k):
        return [j for j in rank[i, : k + 1] if i in rank[j, : k + 1]]

    weights = np.zeros((images, images))
    for i in range(images):
        members = set(reciprocal(i, k1))
        expanded = set(members)
        for candidate in members:
            others = set(reciprocal(candidate, round(k1 / 2)))
            if len(others & members) > 2 / 3 * len(others):
                expanded |= others
        columns = sorted(expanded)
        if columns:
            values = np.exp(distance[i, columns].min() - distance[i, columns])  # as exp(-distance), after normalising
            weights[i, columns] = values / values.sum()
    if k2 != 1:
        weights = np.stack([weights[rank[i, :k2]].mean(axis=0) for i in range(images)])
    common = np.stack([np.minimum(row, weights[queries:]).sum(axis=1) for row in weights[:queries]])
    jaccard = 1 - common / (2 - common)
    return lambda_value * distance[:queries, queries:] + (1 - lambda_value) * jaccard


def clustered(images, dimensions, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((9, dimensions))
    return (centers[rng.integers(9, size=images)] + 0.7 * rng.standard_normal((images, dimensions)) + offset).astype(np.float32)


def on_device(query, gallery, k1, k2, lambda_value, negative):
    """What runs on an accelerator, run on the CPU."""
    union = FeatureUnion(torch.from_numpy(query), torch.from_numpy(gallery), center=True, negative=negative)
    return DeviceRows(union, k1, k2, lambda_value).rows(0, len(query))


def on_host(query, gallery, k1, k2, lambda_value, negative):
    return k_reciprocal(query, gallery, k1, k2, lambda_value, negative_dims=negative)


def in_rows(query, gallery, k1, k2, lambda_value, negative):
    rows = k_reciprocal_rows(query, gallery, k1, k2, lambda_value, negative_dims=negative)
    return torch.cat([rows.rows(start, min(start + 7, len(query))) for start in range(0, len(query), 7)])


WAYS = pytest.mark.parametrize("rerank", [on_host, in_rows, on_device])


@WAYS
@pytest.mark.parametrize(("k1", "k2", "lambda_value"), PARAMETERS)
@pytest.mark.parametrize(("queries", "images", "offset"), [(1, 2, 0.0), (5, 45, 0.0), (40, 240, 5.0)])
def test_equals_the_definition_on_the_dense_matrix(rerank, queries, images, offset, k1, k2, lambda_value):
    features = clustered(images, 16, offset=offset)
    matrix = signed_matrix(features, 6)
    assert matrix.min() < 0 or images == 2
    found = rerank(features[:queries], features[queries:], k1, k2, lambda_value, 6)
    np.testing.assert_allclose(found, plain(matrix, queries, k1, k2, lambda_value), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), queries=st.integers(1, 6), images=st.integers(1, 25), k1=st.integers(1, 30),
    k2=st.integers(1, 30), negative=st.integers(1, 4), lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
)  # fmt: skip
def test_ties_and_rows_without_a_positive_distance(seed, queries, images, k1, k2, negative, lambda_value):
    # Small integers: most distances are tied, and with all four dimensions negative none is above 0.
    features = np.random.default_rng(seed).integers(-1, 2, (queries + images, 4)).astype(np.float32)
    query, gallery = features[:queries], features[queries:]
    expected = plain(signed_matrix(features, negative), queries, k1, k2, lambda_value)
    for rerank in (on_host, on_device):
        found = rerank(query, gallery, k1, k2, lambda_value, negative)
        np.testing.assert_allclose(found, expected, atol=3e-6)


@WAYS
def test_distances_far_below_zero_do_not_overflow(rerank):
    # Vehicles nearly alike and cameras not: minus the distance over the greatest one is above 709, where exp overflows.
    vehicles, cameras = 1e-2 * np.random.default_rng(0).standard_normal((50, 4)), np.repeat(np.eye(2), 25, axis=0)
    features = np.concatenate([vehicles, cameras], axis=1).astype(np.float32)
    matrix = signed_matrix(features, 2)
    found = np.asarray(rerank(features[:6], features[6:], 10, 3, 0.0, 2))
    assert np.isfinite(found).all()
    assert (-matrix.min(axis=1) > 709 * matrix.max(axis=1)).any()
    np.testing.assert_allclose(found, plain(matrix, 6, 10, 3, 0.0), atol=1e-4)


@pytest.mark.parametrize("search", [tile_search.search_tiles, search_on_device])
def test_neighbours_among_many_in_one_place_are_exact(search):
    """More images in a place than candidates are kept: rows whose neighbours float32 cannot tell apart are searched again."""
    rng = np.random.default_rng(1)
    places = np.repeat(rng.standard_normal((6, 12)), 100, axis=0)
    features = (places + 1e-4 * rng.standard_normal(places.shape) + 3).astype(np.float32)[rng.permutation(600)]
    union = FeatureUnion(torch.from_numpy(features[:80]), torch.from_numpy(features[80:]), center=True, negative=3)
    found = search(union, union, 20, cosine=False)
    matrix = signed_matrix(features, 3)
    expected = np.argsort(matrix, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(np.asarray(found.indices), expected)
    np.testing.assert_allclose(found.distances, np.take_along_axis(matrix, expected, axis=1), rtol=1e-5, atol=1e-9)


class TestFuseFeatures:
    def parts(self):
        rng = np.random.default_rng(2)
        return [rng.standard_normal((30, size)).astype(np.float32) for size in (8, 5, 3)]

    @pytest.mark.parametrize("factors", [(0.1, 0.1), (0.7, 0.0), (0.0, 0.3), (-0.2, 0.4), (0.5, -0.5), (-1.0, -1.0)])
    def test_its_distance_is_the_fused_one(self, factors):
        identity, orientation, camera = self.parts()
        features, negative = fuse_features(identity, orientation, camera, *factors)
        assert features.dtype == np.float32
        expected = fuse_distances(*(signed_matrix(part, 0) for part in (identity, orientation, camera)), *factors)
        np.testing.assert_allclose(signed_matrix(features, negative), expected, atol=1e-5)

    def test_without_further_features_it_is_the_features(self):
        identity, orientation, _ = self.parts()
        features, negative = fuse_features(identity)
        np.testing.assert_array_equal(features, identity)
        assert negative == 0
        assert fuse_features(identity, orientation)[1] == 5

    def test_takes_tensors_of_any_type_and_changes_nothing(self):
        parts = [torch.from_numpy(part) for part in self.parts()]
        before = [part.clone() for part in parts]
        features, _ = fuse_features(*parts)
        half, _ = fuse_features(*(part.half() for part in parts))
        assert isinstance(features, torch.Tensor)
        torch.testing.assert_close(half, features, atol=2e-3, rtol=2e-3)
        assert all(torch.equal(part, copy) for part, copy in zip(parts, before, strict=True))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"camera": np.ones((29, 3), np.float32)}, "29 camera features and 30 of identity"),
            ({"lambda_orientation": np.nan}, "lambda_orientation is a finite number"),
            ({"orientation": np.ones(30, np.float32)}, r"orientation features are \(N, D\) floats"),
        ],
    )
    def test_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            fuse_features(self.parts()[0], **arguments)

    def test_more_negative_dimensions_than_there_are(self):
        identity = self.parts()[0]
        with pytest.raises(ValueError, match="negative_dims is 9, but the features have 8 dimensions"):
            k_reciprocal(identity[:3], identity[3:], negative_dims=9)


class TestPipeline:
    @pytest.fixture
    def sets(self) -> dict[str, tuple[FeatureSet, FeatureSet]]:
        """10 queries and 90 gallery images with features of three models and of orientation and camera."""
        pids, tracks = np.arange(100) % 6, np.arange(100) // 5
        names = {"main": 12, "orientation": 6, "camera": 4, "model_2": 12, "model_3": 7}
        features = {name: clustered(100, size, seed=place) for place, (name, size) in enumerate(names.items())}
        return {
            name: tuple(
                FeatureSet.create(array[part], pids[part], track_ids=tracks[part]) for part in (slice(10), slice(10, None))
            )
            for name, array in features.items()
        }

    def expected(self, sets, metric, name="main"):
        def matrix(name):
            features = np.concatenate([images.features for images in sets[name]]).astype(np.float64)
            if metric == "cosine":
                features /= np.linalg.norm(features, axis=1, keepdims=True)
            return signed_matrix(features, 0)

        fused = matrix(name) - 0.3 * matrix("orientation") - 0.2 * matrix("camera")
        return plain(fused, 10, 12, 4, 0.5)

    STEPS = (
        {"fuse_distances": {"lambda_orientation": 0.3, "lambda_camera": 0.2}},
        {"k_reciprocal": {"k1": 12, "k2": 4, "lambda_value": 0.5}},
    )

    @pytest.mark.parametrize("metric", ["cosine", "euclidean"])
    def test_fusion_before_k_reciprocal(self, sets, metric):
        query, gallery = sets.pop("main")
        found = build_pipeline(self.STEPS, metric)(query, gallery, sets).distance.rows(0, 10)
        np.testing.assert_allclose(found, self.expected({"main": (query, gallery), **sets}, metric), atol=1e-5)

    def test_the_mean_of_the_models_distances(self, sets):
        query, gallery = sets["main"]
        further = {name: pair for name, pair in sets.items() if name != "main"}
        found = build_pipeline([*self.STEPS, "average_distances"])(query, gallery, further).distance.rows(0, 10)
        each = [self.expected(sets, "cosine", name) for name in ("main", "model_2", "model_3")]
        np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-5)

    def test_the_papers_whole_post_processing(self, sets):
        names = ["average_tracklets", "fuse_distances", "k_reciprocal", "average_distances", "tracklet_distance"]
        query, gallery = sets["main"]
        found = build_pipeline(names)(query, gallery, {name: pair for name, pair in sets.items() if name != "main"})
        rows = found.distance.rows(0, 10)
        assert torch.isfinite(rows).all()
        for track in gallery.track_ids.unique():
            same = rows[:, gallery.track_ids == track]
            torch.testing.assert_close(same, same[:, :1].expand_as(same))


def test_average_distances_is_the_mean_and_refuses_other_shapes():
    rng = np.random.default_rng(0)
    distances = [rng.standard_normal((4, 9)).astype(np.float32) for _ in range(3)]
    np.testing.assert_allclose(average_distances(distances), np.mean(distances, axis=0), atol=1e-6)
    assert isinstance(average_distances([torch.ones(2, 3)]), torch.Tensor)
    with pytest.raises(ValueError, match=r"Distance 1 is \(4, 8\), the first one \(4, 9\)"):
        average_distances([distances[0], distances[1][:, :8]])
    with pytest.raises(ValueError, match="no distance to average"):
        average_distances([])
