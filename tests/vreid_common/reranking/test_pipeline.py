"""Pipelines: orders that make no sense are refused by name, the paper's combinations run, configs of ours and of FastReID."""

import re

import pytest
import torch
from fastreid.config import get_cfg

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.reranking.database_augmentation import database_augmentation
from vreid_common.reranking.dual_embedding import dual_embedding_expansion
from vreid_common.reranking.k_reciprocal import k_reciprocal
from vreid_common.reranking.pipeline import Pipeline, build_pipeline, pipeline_from_config
from vreid_common.reranking.steps import AlphaQueryExpansion, DatabaseAugmentation, KReciprocal
from vreid_common.reranking.tracklets import pull_tracklets
from vreid_common.structures import FeatureRows, FeatureSet

FEATURE_STEPS = (
    "average_query_expansion",
    "alpha_query_expansion",
    "dual_embedding_expansion",
    "database_augmentation",
    "average_tracklets",
)
DISTANCE_STEPS = ("k_reciprocal", "diffusion", "graph_propagation")
RESCORING_STEPS = ("tracklet_distance", "pull_tracklets", "fuse_distances", "average_distances")


@pytest.fixture
def images() -> tuple[FeatureSet, FeatureSet]:
    """11 queries and 400 gallery images of 8 vehicles, each in 4 tracks."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(8, 12, generator=generator)

    def draw(size: int) -> FeatureSet:
        pids = torch.arange(size) % 8
        features = centres[pids] + 1.5 * torch.randn(size, 12, generator=generator)
        return FeatureSet.create(features, pids, track_ids=pids * 4 + torch.arange(size) // 8 % 4)

    return draw(11), draw(400)


class TestOrder:
    @pytest.mark.parametrize("first", DISTANCE_STEPS + RESCORING_STEPS)
    @pytest.mark.parametrize("second", FEATURE_STEPS)
    def test_no_feature_step_after_a_distance(self, first, second):
        message = f"{second} changes the features, so the distance of {first} before it would be lost: put {second} first."
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            build_pipeline([first, second])

    @pytest.mark.parametrize("first", DISTANCE_STEPS)
    @pytest.mark.parametrize("second", DISTANCE_STEPS)
    def test_only_one_distance_from_features(self, first, second):
        message = (
            f"{second} compares the features anew, so the distance of {first} before it would be lost: leave one of the two"
        )
        with pytest.raises(InputError, match=f"^{re.escape(message)} out\\.$"):
            build_pipeline([first, second])

    @pytest.mark.parametrize("first", RESCORING_STEPS)
    @pytest.mark.parametrize("second", DISTANCE_STEPS)
    def test_none_of_them_over_a_distance_that_is_not_of_features(self, first, second):
        if (first, second) == ("fuse_distances", "k_reciprocal"):
            return  # the features say the fused distance too
        message = (
            f"{second} compares the features anew, so the distance of {first} before it would be lost: put {second} first."
        )
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            build_pipeline(["alpha_query_expansion", first, second])

    def test_k_reciprocal_takes_up_the_fused_distance_alone(self):
        names = ["average_tracklets", "fuse_distances", "k_reciprocal", "tracklet_distance"]
        assert [step.name for step in build_pipeline(names).steps] == names
        with pytest.raises(
            InputError, match="the distance of tracklet_distance before it would be lost: put k_reciprocal first"
        ):
            build_pipeline(["tracklet_distance", "fuse_distances", "k_reciprocal"])
        with pytest.raises(InputError, match="the distance of k_reciprocal before it would be lost: leave one of the two out"):
            build_pipeline(["fuse_distances", "k_reciprocal", "k_reciprocal"])
        with pytest.raises(InputError, match="fuse_distances stands twice"):
            build_pipeline(["fuse_distances", "k_reciprocal", "fuse_distances"])

    @pytest.mark.parametrize("name", RESCORING_STEPS)
    def test_twice(self, name):
        others = [other for other in RESCORING_STEPS if other != name]
        with pytest.raises(InputError, match=f"{name} stands twice"):
            build_pipeline([name, *others, name])

    @pytest.mark.parametrize("last", [(), *((name,) for name in RESCORING_STEPS), RESCORING_STEPS])
    @pytest.mark.parametrize("distance", [(), *((name,) for name in DISTANCE_STEPS)])
    def test_every_other_order_is_taken(self, distance, last):
        steps = [*FEATURE_STEPS, "alpha_query_expansion", *distance, *last]
        assert [step.name for step in build_pipeline(steps).steps] == steps

    def test_k_reciprocal_needs_a_metric_that_it_follows(self):
        with pytest.raises(InputError, match="k_reciprocal does not go with the metric 'dot': use cosine or euclidean"):
            build_pipeline(["k_reciprocal"], "dot")


class TestNames:
    @pytest.mark.parametrize(
        ("specs", "message"),
        [
            (["k_reciprocl"], r"no re-ranking step 'k_reciprocl': use one of .*, k_reciprocal, "),
            ([{"k_reciprocal": {"k": 3}}], r"k_reciprocal has no parameter 'k': it has k1, k2, lambda_value\."),
            ([{"pull_tracklets": {"top_k": 3}}], r"pull_tracklets has no parameter 'top_k': it has none\."),
            ([{"k_reciprocal": 3}], r"A step is a name or \{name: \{parameter: value\}\}, got"),
            ([{"k_reciprocal": {}, "diffusion": {}}], r"A step is a name or"),
            ([7], r"A step is a name or .* got 7"),
        ],
    )
    def test_refused(self, specs, message):
        with pytest.raises(InputError, match=message):
            build_pipeline(specs)

    def test_parameters_of_a_step_that_is_not_there(self):
        with pytest.raises(InputError, match="Parameters of diffusion are given, but it is not a step"):
            build_pipeline(["k_reciprocal"], parameters={"diffusion": {"k": 3}})

    def test_parameters(self):
        specs = [{"k_reciprocal": {"k1": 30, "k2": 3}}]
        assert build_pipeline(specs, parameters={"k_reciprocal": {"k2": 5}}).steps == (KReciprocal(k1=30, k2=5),)

    def test_text_and_record(self):
        pipeline = build_pipeline(["database_augmentation", {"k_reciprocal": {"k1": 30}}])
        assert (
            str(pipeline) == "re-ranked by database_augmentation(k=10, alpha=0.0), k_reciprocal(k1=30, k2=6, lambda_value=0.3)"
        )
        assert pipeline.record[1] == {"step": "k_reciprocal", "k1": 30, "k2": 6, "lambda_value": 0.3}
        assert str(Pipeline()) == "no re-ranking"


class TestApplied:
    def test_without_steps_the_distance_is_that_of_the_features(self, images):
        retrieval = Pipeline(metric="euclidean")(*images)
        expected = FeatureRows(images[0].features, images[1].features, "euclidean")
        assert torch.equal(retrieval.distance.rows(0, 11), expected.rows(0, 11))

    @pytest.mark.parametrize(
        "names",
        [
            ["dual_embedding_expansion"],
            ["database_augmentation"],
            ["k_reciprocal"],
            ["diffusion"],
            ["tracklet_distance"],
            ["dual_embedding_expansion", "database_augmentation"],
            ["dual_embedding_expansion", "k_reciprocal"],
            ["dual_embedding_expansion", "diffusion"],
            ["dual_embedding_expansion", "database_augmentation", "k_reciprocal"],
            ["dual_embedding_expansion", "database_augmentation", "diffusion"],
            ["dual_embedding_expansion", "database_augmentation", "k_reciprocal", "pull_tracklets"],
            [*FEATURE_STEPS, "graph_propagation", "tracklet_distance"],
        ],
        ids="+".join,
    )
    def test_rows_of_dex_table_6(self, images, names):
        """And the submission's, with tracklets pulled in; every one ranks better than the features on these noisy clusters."""
        query, gallery = images
        matches = query.pids[:, None] == gallery.pids

        def precision(distance) -> float:
            first = distance.rows(0, 11).argsort(dim=1, stable=True)[:, :40]
            return float(matches.gather(1, first).float().mean())

        found = build_pipeline(names)(query, gallery).distance
        assert found.shape == (11, 400)
        assert torch.isfinite(found.rows(0, 11)).all()
        torch.testing.assert_close(found.rows(4, 9), found.rows(0, 11)[4:9], atol=1e-6, rtol=0)
        assert precision(found) > precision(Pipeline()(query, gallery).distance)

    def test_steps_follow_one_another(self, images):
        """DEx + DBA + k-reciprocal + pulled tracklets, by the functions."""
        query, gallery = images
        steps = [{"dual_embedding_expansion": {"k": 8}}, {"database_augmentation": {"k": 4}}, {"k_reciprocal": {"k1": 15}}]
        found = build_pipeline([*steps, "pull_tracklets"])(query, gallery).distance.rows(0, 11)
        expanded = dual_embedding_expansion(query.features, gallery.features, gallery.track_ids, 8, 2.0)
        distance = k_reciprocal(expanded, database_augmentation(gallery.features, 4), 15, 6, 0.3)
        expected = pull_tracklets(distance.argsort(dim=1, stable=True), gallery.track_ids, top_k=400)
        assert torch.equal(found.argsort(dim=1), expected)

    def test_what_is_given_is_not_changed(self, images):
        query, gallery = images
        before = query.features.clone(), gallery.features.clone()
        build_pipeline([*FEATURE_STEPS, "k_reciprocal", "tracklet_distance"], "euclidean")(query, gallery)
        assert torch.equal(query.features, before[0])
        assert torch.equal(gallery.features, before[1])

    @pytest.mark.parametrize("name", ["dual_embedding_expansion", "average_tracklets", "tracklet_distance", "pull_tracklets"])
    def test_a_gallery_without_tracks(self, images, name):
        query, gallery = images
        gallery = FeatureSet.create(gallery.features, gallery.pids)
        with pytest.raises(InputError, match=f"{name} needs track ids, but no image of the gallery has one"):
            build_pipeline([name])(query, gallery)

    def test_fusion_without_further_features(self, images):
        with pytest.raises(InputError, match="fuse_distances needs the features orientation or camera"):
            build_pipeline(["fuse_distances"])(*images, {"colour": images})

    def test_what_a_function_refuses_names_the_step(self, images, monkeypatch):
        def refuse(*arguments, **options):
            raise ValueError("The gallery is empty.")

        monkeypatch.setattr("vreid_common.reranking.steps.k_reciprocal_rows", refuse)
        with pytest.raises(InputError, match=r"^Re-ranking by k_reciprocal: The gallery is empty\.$"):
            build_pipeline(["k_reciprocal"])(*images)

    @pytest.mark.parametrize("name", FEATURE_STEPS + DISTANCE_STEPS + ("tracklet_distance", "pull_tracklets"))
    def test_one_query_one_gallery_image(self, name):
        query = FeatureSet.create(torch.tensor([[3.0, 4.0]]), [0])
        gallery = FeatureSet.create(torch.tensor([[1.0, 1.0]]), [0], track_ids=[5])
        assert torch.isfinite(build_pipeline([name])(query, gallery).distance.rows(0, 1)).all()


class TestConfig:
    def test_none_by_default(self):
        assert pipeline_from_config(get_vreid_cfg()).steps == ()
        assert pipeline_from_config(get_cfg()).steps == ()

    def test_names_with_their_nodes(self):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(
            ["RERANK.PIPELINE", "['database_augmentation', 'k_reciprocal']", "RERANK.K_RECIPROCAL.K1", 60,
             "RERANK.K_RECIPROCAL.LAMBDA_VALUE", 0.5, "TEST.METRIC", "euclidean", "RERANK.DIFFUSION.K", 7]
        )  # fmt: skip
        pipeline = pipeline_from_config(cfg)
        assert pipeline.steps == (DatabaseAugmentation(), KReciprocal(k1=60, k2=6, lambda_value=0.5))
        assert pipeline.metric == "euclidean"

    @pytest.mark.parametrize("make", [get_cfg, get_vreid_cfg])
    def test_fastreid_s_own_keys(self, make):
        cfg = make()
        cfg.merge_from_list(["TEST.AQE.ENABLED", True, "TEST.AQE.QE_TIME", 2, "TEST.AQE.QE_K", 7, "TEST.AQE.ALPHA", 1.5])
        assert pipeline_from_config(cfg).steps == (AlphaQueryExpansion(k=7, alpha=1.5, rounds=2),)
        cfg.merge_from_list(["TEST.RERANK.ENABLED", True, "TEST.RERANK.K1", 30, "TEST.RERANK.LAMBDA", 0.1])
        assert pipeline_from_config(cfg).steps[1:] == (KReciprocal(k1=30, k2=6, lambda_value=0.1),)

    def test_both_ways_at_once(self):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["RERANK.PIPELINE", "['diffusion']", "TEST.RERANK.ENABLED", True])
        with pytest.raises(InputError, match=r"RERANK\.PIPELINE is \['diffusion'\] and TEST\.RERANK\.ENABLED is True"):
            pipeline_from_config(cfg)

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("RERANK.PIPELINE", "['k_reciprocal', 'database_augmentation']", "put database_augmentation first"),
            ("TEST.AQE.QE_K", 0, r"alpha_query_expansion\.k is 0"),
        ],
    )
    def test_refused(self, key, value, message):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.AQE.ENABLED", key.startswith("TEST"), key, value])
        with pytest.raises(InputError, match=message):
            pipeline_from_config(cfg)

    def test_a_project_s_step_without_a_node_has_its_defaults(self):
        cfg = get_vreid_cfg()
        cfg.RERANK = type(cfg)({"PIPELINE": ["k_reciprocal"]})
        assert pipeline_from_config(cfg).steps == (KReciprocal(),)
