"""Each step gives what its function gives; steps have the functions' parameters and defaults, and check them when built."""

import inspect
from dataclasses import dataclass, fields

import pytest
import torch
import torch.nn.functional as F

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.registry import RERANK_REGISTRY
from vreid_common.reranking import steps
from vreid_common.reranking.database_augmentation import database_augmentation
from vreid_common.reranking.diffusion import diffusion
from vreid_common.reranking.distance_mean import average_distances
from vreid_common.reranking.dual_embedding import dual_embedding_expansion
from vreid_common.reranking.fusion import fuse_distances
from vreid_common.reranking.graph_propagation import graph_propagation
from vreid_common.reranking.k_reciprocal import k_reciprocal
from vreid_common.reranking.query_expansion import alpha_query_expansion, average_query_expansion
from vreid_common.reranking.step import FeatureStep, parameter
from vreid_common.reranking.tracklets import average_tracklets, pull_tracklets, tracklet_distance
from vreid_common.structures import DenseRows, FeatureRows, FeatureSet, Retrieval

FUNCTIONS = {
    function.__name__: function
    for function in (
        alpha_query_expansion, average_distances, average_query_expansion, average_tracklets, database_augmentation, diffusion,
        dual_embedding_expansion, fuse_distances, graph_propagation, k_reciprocal, pull_tracklets, tracklet_distance,
    )
}  # fmt: skip
METRICS = ("cosine", "euclidean", "dot")


def feature_set(seed: int, size: int, dimensions: int = 8) -> FeatureSet:
    """Features of unequal lengths around six centres; tracks of about four images, some unknown."""
    generator = torch.Generator().manual_seed(seed)
    pids = torch.randint(6, (size,), generator=generator)
    centres = torch.randn(6, dimensions, generator=torch.Generator().manual_seed(7))
    features = centres[pids] + 0.7 * torch.randn(size, dimensions, generator=generator)
    features *= 0.5 + torch.rand(size, 1, generator=generator)
    tracks = torch.where(
        torch.rand(size, generator=generator) < 0.2, -1, pids * 3 + torch.randint(3, (size,), generator=generator)
    )
    return FeatureSet.create(features, pids, track_ids=tracks)


QUERY, GALLERY = feature_set(0, 9), feature_set(1, 70)
Q, G, TRACKS = QUERY.features, GALLERY.features, GALLERY.track_ids


@pytest.fixture(params=METRICS)
def retrieval(request) -> Retrieval:
    further = {"camera": (feature_set(2, 9, 5), feature_set(3, 70, 5))}
    return Retrieval.from_features(QUERY, GALLERY, request.param, further)


def matrix(retrieval: Retrieval) -> torch.Tensor:
    return retrieval.distance.rows(0, len(QUERY))


@pytest.mark.parametrize(
    ("step", "query", "gallery"),
    [
        (steps.AverageQueryExpansion(k=7), lambda: average_query_expansion(Q, G, 7), lambda: G),
        (steps.AlphaQueryExpansion(k=7, alpha=3), lambda: alpha_query_expansion(Q, G, 7, 3.0), lambda: G),
        (
            steps.AlphaQueryExpansion(k=4, alpha=1.5, rounds=3),
            lambda: alpha_query_expansion(alpha_query_expansion(alpha_query_expansion(Q, G, 4, 1.5), G, 4, 1.5), G, 4, 1.5),
            lambda: G,
        ),
        (steps.DualEmbeddingExpansion(k=9), lambda: dual_embedding_expansion(Q, G, TRACKS, 9, 2.0), lambda: G),
        (steps.DatabaseAugmentation(k=5, alpha=1), lambda: Q, lambda: database_augmentation(G, 5, 1.0)),
        (steps.AverageTracklets(weight=0.4), lambda: Q, lambda: average_tracklets(G, TRACKS, 0.4)),
    ],
    ids=lambda value: str(value) if isinstance(value, steps.FeatureStep) else "",
)
def test_feature_steps_are_their_functions(retrieval, step, query, gallery):
    """Both sides are compared at unit length, whatever the metric: the changed side has it, so the other gets it."""
    found = step(retrieval)
    expected = FeatureRows(F.normalize(query()), F.normalize(gallery()), retrieval.metric)
    torch.testing.assert_close(matrix(found), expected.rows(0, len(QUERY)), atol=2e-6, rtol=1e-5)
    for before, after in ((QUERY, found.query), (GALLERY, found.gallery)):
        assert torch.equal(before.pids, after.pids)
        assert torch.equal(before.track_ids, after.track_ids)
    assert found.further is retrieval.further
    assert torch.equal(retrieval.gallery.features, G)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            steps.Diffusion(k=6, kq=4, alpha=0.9, iterations=40, solver="conjugate_gradient"),
            lambda: diffusion(Q, G, 6, 4, 0.9, 3.0, 40, solver="conjugate_gradient"),
        ),
        (steps.Diffusion(), lambda: diffusion(Q, G)),
    ],
    ids=["conjugate gradient", "default"],
)
def test_diffusion_ranks_as_its_similarity(retrieval, step, expected):
    found, similarity = matrix(step(retrieval)), expected()
    reached = similarity > 0
    assert 0 < reached.sum() < reached.numel() or reached.all()
    assert torch.equal(-found[reached], similarity[reached])
    assert (found[~reached] >= 0).all()


def test_k_reciprocal_on_the_cosine_and_on_features_as_they_are():
    step = steps.KReciprocal(k1=12, k2=4, lambda_value=0.4)
    by_cosine = matrix(step(Retrieval.from_features(QUERY, GALLERY, "cosine")))
    as_they_are = matrix(step(Retrieval.from_features(QUERY, GALLERY, "euclidean")))
    torch.testing.assert_close(by_cosine, k_reciprocal(F.normalize(Q), F.normalize(G), 12, 4, 0.4), atol=1e-5, rtol=0)
    torch.testing.assert_close(as_they_are, k_reciprocal(Q, G, 12, 4, 0.4), atol=1e-5, rtol=0)
    assert not torch.allclose(by_cosine, as_they_are, atol=1e-3)


def test_graph_propagation_is_its_function(retrieval):
    found = steps.GraphPropagation(k1=9, k2=3, alpha=1.0, rounds=1)(retrieval)
    expected = graph_propagation(Q, G, 9, 3, 1.0, rounds=1)
    # What has nothing in common is behind the rest, by the cosine.
    torch.testing.assert_close(matrix(found).clamp_max(1), expected, atol=1e-6, rtol=0)
    assert (matrix(found)[expected == 1] >= 1).all()


@pytest.mark.parametrize("reduce", ["mean", "min"])
def test_tracklet_distance_is_its_function(retrieval, reduce):
    found = steps.TrackletDistance(reduce=reduce)(retrieval)
    torch.testing.assert_close(matrix(found), tracklet_distance(matrix(retrieval), TRACKS, reduce))


@pytest.mark.parametrize("places_at_once", [1, 150, 1 << 20])
@pytest.mark.parametrize("digits", [None, 1, 0])
def test_pull_tracklets_ranks_as_its_function(retrieval, monkeypatch, places_at_once, digits):
    """With few digits most distances tie, within tracks and between them."""
    monkeypatch.setattr("vreid_common.reranking.pulled_rows._PLACES", places_at_once)
    if digits is not None:
        retrieval = retrieval.with_distance(DenseRows(matrix(retrieval).round(decimals=digits)))
    found = steps.PullTracklets()(retrieval)
    ranking = matrix(retrieval).argsort(dim=1, stable=True)
    assert torch.equal(matrix(found).argsort(dim=1), pull_tracklets(ranking, TRACKS, top_k=len(GALLERY)))
    assert torch.equal(found.distance.rows(3, 5), matrix(found)[3:5])
    assert found.distance.rows(4, 4).shape == (0, len(GALLERY))


def test_fusion_takes_what_further_features_there_are(retrieval):
    camera = FeatureRows(*(images.features for images in retrieval.further["camera"]), retrieval.metric).rows(0, len(QUERY))
    step = steps.FuseDistances(lambda_orientation=0.5, lambda_camera=0.25)
    torch.testing.assert_close(matrix(step(retrieval)), matrix(retrieval) - 0.25 * camera)
    further = {**retrieval.further, "orientation": (QUERY, GALLERY), "colour": (QUERY, GALLERY)}
    both = Retrieval.from_features(QUERY, GALLERY, retrieval.metric, further)
    torch.testing.assert_close(matrix(step(both)), fuse_distances(matrix(both), matrix(both), camera, 0.5, 0.25))


class TestParameters:
    def test_there_is_a_step_for_every_function(self):
        assert set(RERANK_REGISTRY.names) == set(FUNCTIONS)

    @pytest.mark.parametrize("name", RERANK_REGISTRY.names)
    def test_names_and_defaults_are_the_function_s(self, name):
        given = inspect.signature(FUNCTIONS[name]).parameters
        for item in fields(RERANK_REGISTRY.get(name)):
            if (name, item.name) == ("alpha_query_expansion", "rounds"):
                continue  # FastReID's QE_TIME
            assert item.name in given
            if given[item.name].default is not inspect.Parameter.empty:
                assert item.default == given[item.name].default

    @pytest.mark.parametrize("name", RERANK_REGISTRY.names)
    def test_the_config_has_each_parameter_with_its_default(self, name):
        step = RERANK_REGISTRY.get(name)
        node = get_vreid_cfg().RERANK.get(name.upper(), {})
        assert {key.lower(): value for key, value in node.items()} == {item.name: item.default for item in fields(step)}
        assert [type(node[item.name.upper()]) for item in fields(step)] == [type(item.default) for item in fields(step)]

    def test_the_config_has_nothing_else(self):
        assert set(get_vreid_cfg().RERANK) - {"PIPELINE", "COMPARE", "FURTHER"} <= {
            name.upper() for name in RERANK_REGISTRY.names
        }

    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (lambda: steps.KReciprocal(k1=0), r"k_reciprocal\.k1 is 0: use 1 or more\."),
            (lambda: steps.KReciprocal(k1=2.5), r"k_reciprocal\.k1 is 2\.5: use a whole number\."),
            (lambda: steps.KReciprocal(k2=True), r"k_reciprocal\.k2 is True: use a whole number\."),
            (lambda: steps.KReciprocal(lambda_value=1.5), r"k_reciprocal\.lambda_value is 1\.5: use 0 to 1\."),
            (lambda: steps.KReciprocal(lambda_value="0.3"), r"lambda_value is '0\.3': use a finite number"),
            (lambda: steps.AlphaQueryExpansion(alpha=float("nan")), r"alpha is nan: use a finite number"),
            (lambda: steps.AlphaQueryExpansion(alpha=-1), r"alpha_query_expansion\.alpha is -1\.0: use 0 or more"),
            (lambda: steps.Diffusion(alpha=1), r"diffusion\.alpha is 1\.0: use 0 or more, below 1\."),
            (lambda: steps.Diffusion(solver="lu"), r"diffusion\.solver is 'lu': use iteration or conjugate_gradient\."),
            (lambda: steps.TrackletDistance(reduce=3), r"tracklet_distance\.reduce is 3: use a str"),
        ],
    )
    def test_refused(self, build, message):
        with pytest.raises(InputError, match=message):
            build()

    def test_whole_numbers_are_floats_where_those_are_wanted(self):
        assert steps.KReciprocal(lambda_value=1) == steps.KReciprocal(lambda_value=1.0)
        assert type(steps.KReciprocal(lambda_value=0).lambda_value) is float

    def test_fusion_may_add_distances(self):
        assert steps.FuseDistances(lambda_camera=-0.5).lambda_camera == -0.5

    def test_text(self):
        assert str(steps.KReciprocal(k1=30)) == "k_reciprocal(k1=30, k2=6, lambda_value=0.3)"
        assert str(steps.PullTracklets()) == "pull_tracklets"


def test_a_project_s_own_step(monkeypatch):
    monkeypatch.setattr(RERANK_REGISTRY, "_obj_map", dict(RERANK_REGISTRY._obj_map))

    @RERANK_REGISTRY.register()
    @dataclass(frozen=True)
    class Sharpening(FeatureStep):
        name = "sharpening"
        power: float = parameter(2.0, low=0)

        def features(self, retrieval):
            return retrieval.query.features.pow(self.power), retrieval.gallery.features.pow(self.power)

    found = RERANK_REGISTRY.get("sharpening")(power=3)(Retrieval.from_features(QUERY, GALLERY))
    torch.testing.assert_close(matrix(found), FeatureRows(Q.pow(3), G.pow(3)).rows(0, len(QUERY)))
