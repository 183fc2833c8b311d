"""VehicleEvaluator: what it accepts, what it returns, what it refuses, and that FastReID can drive it."""

import logging
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import fastreid.evaluation
import numpy as np
import pytest
import torch
from fastreid.config import get_cfg
from fastreid.engine import DefaultTrainer
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation import (
    OneGalleryImage,
    SameCameraExcluded,
    VehicleEvaluator,
    apply_protocol,
    evaluate_ranking,
    inference_on_dataset,
)
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.reranking.tracklets import pull_tracklets
from vreid_common.structures import FeatureRows, FeatureSet

NUM_QUERY = 12


class PassThrough(nn.Module):
    """A model whose feature is the image; ``features`` maps names to functions of it."""

    def __init__(self, **features):
        super().__init__()
        self.features = features

    def forward(self, batch):
        feature = batch["images"].flatten(1)
        return {name: function(feature) for name, function in self.features.items()} if self.features else feature


def evaluate(batches, model=None, cfg=None, **arguments):
    evaluator = VehicleEvaluator(get_vreid_cfg() if cfg is None else cfg, NUM_QUERY, **arguments)
    return inference_on_dataset(model or PassThrough(), batches, evaluator), evaluator


@pytest.fixture
def expected(sets):
    query, gallery = sets
    rows = FeatureRows(query.features, gallery.features)
    return evaluate_ranking(rows, query.pids, gallery.pids, query.camids, gallery.camids)


class TestResult:
    def test_percentages_under_fastreid_s_names(self, make_batches, expected):
        results, _ = evaluate(make_batches())
        assert isinstance(results, OrderedDict)
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert [results[f"Rank-{rank}"] for rank in (1, 5, 10)] == pytest.approx([100 * expected.cmc[r] for r in (0, 4, 9)])
        assert results["mINP"] == pytest.approx(100 * expected.mINP)
        assert results["metric"] == pytest.approx(50 * (expected.mAP + expected.cmc[0]))
        assert {"mAP (same view)", "mAP (cross view)"} <= results.keys()
        assert all(type(value) is float for value in results.values())

    def test_roc_in_percent_when_enabled(self, make_batches):
        cfg = get_vreid_cfg()
        cfg.TEST.ROC.ENABLED = True
        results, _ = evaluate(make_batches(), cfg=cfg)
        assert 0 < results["TPR@FPR=1e-02"] <= 100
        assert {"TPR@FPR=1e-04", "TPR@FPR=1e-03"} <= results.keys()

    def test_several_features(self, make_batches, expected):
        model = PassThrough(main=lambda f: f, half=lambda f: f[:, :4].bfloat16())
        results, evaluator = evaluate(make_batches(), model)
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert results["half/mAP"] != results["mAP"]
        assert list(evaluator.feature_sets) == list(evaluator.rankings) == ["main", "half"]
        assert evaluator.feature_sets["half"][1].features.shape == (60, 4)

    def test_feature_sets_are_the_data_set(self, make_batches, sets):
        _, evaluator = evaluate(make_batches())
        for found, given in zip(evaluator.feature_sets["main"], sets, strict=True):
            assert found.paths == given.paths
            for name in ("features", "pids", "camids", "track_ids", "view_ids"):
                assert torch.equal(getattr(found, name), getattr(given, name))

    def test_extra_metrics_of_a_project(self, make_batches):
        class Counting(VehicleEvaluator):
            def extra_metrics(self, name, query, gallery):
                return {f"images of {name}": float(len(query) + len(gallery))}

        results = inference_on_dataset(
            PassThrough(a=lambda f: f, b=lambda f: f), make_batches(), Counting(get_vreid_cfg(), NUM_QUERY)
        )
        assert results["images of a"] == results["b/images of b"] == 72

    def test_the_log_names_the_protocol_and_what_was_left_out(self, make_batches, caplog):
        with caplog.at_level(logging.INFO):
            evaluate(make_batches())
        assert "same camera excluded" in caplog.text
        assert "no re-ranking" in caplog.text
        assert "12 queries, 0 of them left out" in caplog.text
        assert "main (8-d)" in caplog.text

    @pytest.mark.parametrize("protocol", ["SameCameraKept", "ImageToTrack"])
    def test_protocol_of_the_config(self, make_batches, protocol):
        cfg = get_vreid_cfg()
        cfg.TEST.PROTOCOL = protocol
        assert evaluate(make_batches(), cfg=cfg)[0]["mAP"] != evaluate(make_batches())[0]["mAP"]

    def test_draws_of_the_config(self, make_batches, sets, caplog):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.PROTOCOL", "OneGalleryImage", "TEST.NUM_DRAWS", 3, "TEST.DRAW_SEED", 5])
        with caplog.at_level(logging.INFO):
            results, evaluator = evaluate(make_batches(), cfg=cfg)
        found = apply_protocol(OneGalleryImage(num_draws=3, seed=5), Pipeline(), *sets)
        assert results == pytest.approx({name: 100 * value for name, value in found.metrics.items()})
        assert evaluator.rankings["main"].num_queries == 72 - 6
        assert "Means of 3 draws (seed 5)" in caplog.text
        assert "Rank-1 (std)" in caplog.text

    def test_the_first_ranks_of_the_config(self, make_batches, sets):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.TOP_K", 4, "TEST.NORMALIZER", "min"])
        results, _ = evaluate(make_batches(), cfg=cfg)
        query, gallery = sets
        labels = query.pids, gallery.pids, query.camids, gallery.camids
        expected = evaluate_ranking(FeatureRows(query.features, gallery.features), *labels, top_k=4, normalizer="min")
        assert results["mAP@4"] == pytest.approx(100 * expected.mAP)
        assert "mAP" not in results

    def test_features_are_saved_when_asked_for(self, make_batches, sets, tmp_path):
        evaluate(make_batches(), output_dir=tmp_path)
        assert torch.equal(FeatureSet.load(tmp_path / "main_gallery").features, sets[1].features)

    def test_a_second_round_starts_anew(self, make_batches):
        evaluator = VehicleEvaluator(get_vreid_cfg(), NUM_QUERY)
        first = inference_on_dataset(PassThrough(), make_batches(), evaluator)
        assert inference_on_dataset(PassThrough(), make_batches(), evaluator) == first


class TestSubsets:
    """PKU-VD: smaller galleries within the large one, from one extraction."""

    @pytest.fixture
    def subsets(self):
        return {"small": [*range(12), *range(20, 40)], "fewer queries": [0, 3, *range(12, 72)]}

    def test_values_are_those_of_the_part_alone(self, make_batches, sets, subsets, caplog):
        with caplog.at_level(logging.INFO):
            results, evaluator = evaluate(make_batches(), subsets=subsets)
        whole, _ = evaluate(make_batches())
        assert {key: value for key, value in results.items() if "/" not in key} == whole
        query, gallery = sets
        parts = {"small": (query, gallery.select(slice(8, 28))), "fewer queries": (query.select([0, 3]), gallery)}
        for name, (asked, stored) in parts.items():
            labels = asked.pids, stored.pids, asked.camids, stored.camids
            expected = evaluate_ranking(FeatureRows(asked.features, stored.features), *labels)
            assert results[f"{name}/mAP"] == pytest.approx(100 * expected.mAP)
            assert results[f"{name}/Rank-1"] == pytest.approx(100 * expected.cmc[0])
            np.testing.assert_allclose(evaluator.rankings[f"main/{name}"].cmc, expected.cmc)
        assert list(evaluator.rankings) == ["main", "main/small", "main/fewer queries"]
        assert "gallery of 20." in caplog.text
        assert "main (8-d), small" in caplog.text

    def test_of_further_features_with_re_ranking(self, make_batches, sets, subsets):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["RERANK.PIPELINE", ["fuse_distances"], "TEST.METRIC", "euclidean"])
        model = PassThrough(main=lambda f: f, half=lambda f: f[:, :4], camera=lambda f: f[:, 4:])
        results, _ = evaluate(make_batches(), model, cfg, subsets=subsets)
        query, gallery = sets[0], sets[1].select(slice(8, 28))
        camera = tuple(FeatureSet.create(part.features[:, 4:], part.pids) for part in (query, gallery))
        half = [replace(part, features=part.features[:, :4].contiguous()) for part in (query, gallery)]
        found = apply_protocol(SameCameraExcluded(), build_pipeline(["fuse_distances"], "euclidean"), *half, {"camera": camera})
        assert results["half/small/mAP"] == pytest.approx(100 * found.metrics["mAP"])
        assert not any(key.startswith("camera") for key in results)


class TestSubmission:
    """AI City's test sets: no labels, a file instead of metrics."""

    @pytest.fixture
    def cfg(self, tmp_path):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.PROTOCOL", "AICitySubmission", "OUTPUT_DIR", str(tmp_path / "run")])
        return cfg

    def unlabelled(self, batches):
        for batch in batches:
            yield batch | {"targets": torch.full_like(batch["targets"], -1)}

    def test_file(self, make_batches, sets, cfg, tmp_path, caplog):
        with caplog.at_level(logging.INFO):
            results, evaluator = evaluate(self.unlabelled(make_batches()), cfg=cfg)
        assert results == evaluator.rankings == {}
        query, gallery = sets
        ranking = FeatureRows(query.features, gallery.features).rows(0, 12).argsort(dim=1, stable=True)
        written = (tmp_path / "run" / "track2.txt").read_text().splitlines()
        assert [[int(number) - 1 for number in line.split(" ")] for line in written] == ranking.tolist()
        assert "nothing is measured" in caplog.text
        assert "track2.txt" in caplog.text

    def test_of_a_re_ranking(self, make_batches, sets, cfg, tmp_path):
        cfg.RERANK.PIPELINE = ["pull_tracklets"]
        evaluate(self.unlabelled(make_batches()), cfg=cfg)
        query, gallery = sets
        order = pull_tracklets(FeatureRows(query.features, gallery.features).rows(0, 12).argsort(dim=1), gallery.track_ids)
        first = (tmp_path / "run" / "track2.txt").read_text().splitlines()[0]
        assert [int(number) - 1 for number in first.split()] == [i for i in order[0].tolist() if i >= 0]

    def test_one_file_for_each_feature(self, make_batches, cfg, tmp_path):
        evaluate(self.unlabelled(make_batches()), PassThrough(a=lambda f: f, b=lambda f: f), cfg=cfg)
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["track2_a.txt", "track2_b.txt"]

    def test_metrics_of_such_a_set_are_refused(self, make_batches):
        with pytest.raises(InputError, match="12 of 12 queries have no identity"):
            evaluate(self.unlabelled(make_batches()))


class TestReranking:
    def measured(self, sets, names, parameters=None, **options):
        query, gallery = sets
        retrieval = build_pipeline(names, parameters=parameters)(query, gallery)
        return evaluate_ranking(retrieval.distance, query.pids, gallery.pids, query.camids, gallery.camids, **options)

    def test_pipeline_of_the_config(self, make_batches, sets, caplog):
        cfg = get_vreid_cfg()
        names = ["dual_embedding_expansion", "k_reciprocal"]
        cfg.merge_from_list(["RERANK.PIPELINE", names, "RERANK.K_RECIPROCAL.K1", 12, "RERANK.DUAL_EMBEDDING_EXPANSION.K", 5])
        with caplog.at_level(logging.INFO):
            results, evaluator = evaluate(make_batches(), cfg=cfg)
        expected = self.measured(sets, names, {"k_reciprocal": {"k1": 12}, "dual_embedding_expansion": {"k": 5}})
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert results["mAP"] != pytest.approx(evaluate(make_batches())[0]["mAP"])
        assert evaluator.rankings["main"].mAP == pytest.approx(expected.mAP)
        assert (
            "re-ranked by dual_embedding_expansion(k=5, alpha=2.0), k_reciprocal(k1=12, k2=6, lambda_value=0.3). 12 queries"
            in caplog.text
        )
        assert "main (8-d, re-ranked)" in caplog.text

    @pytest.mark.parametrize("make_cfg", [get_cfg, get_vreid_cfg])
    def test_fastreid_s_keys(self, make_batches, sets, make_cfg):
        """Faults A6, B12 and B22: FastReID's own need a GPU, mix units and expand over an N×N matrix."""
        cfg = make_cfg()
        cfg.merge_from_list(["TEST.AQE.ENABLED", True, "TEST.AQE.QE_TIME", 2, "TEST.RERANK.ENABLED", True])
        cfg.freeze()
        parameters = {"alpha_query_expansion": {"k": 5, "alpha": 3.0, "rounds": 2}}
        expected = self.measured(sets, ["alpha_query_expansion", "k_reciprocal"], parameters)
        assert evaluate(make_batches(), cfg=cfg)[0]["mAP"] == pytest.approx(100 * expected.mAP)

    def test_saved_features_are_the_model_s(self, make_batches, sets, tmp_path):
        cfg = get_vreid_cfg()
        cfg.RERANK.PIPELINE = ["database_augmentation"]
        _, evaluator = evaluate(make_batches(), cfg=cfg, output_dir=tmp_path)
        assert torch.equal(FeatureSet.load(tmp_path / "main_gallery").features, sets[1].features)
        assert torch.equal(evaluator.feature_sets["main"][1].features, sets[1].features)

    def test_further_features_serve_the_others(self, make_batches):
        model = PassThrough(main=lambda f: f, half=lambda f: f[:, :4], camera=lambda f: f[:, 4:])
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["RERANK.PIPELINE", ["fuse_distances"], "RERANK.FUSE_DISTANCES.LAMBDA_CAMERA", 0.3])
        results, evaluator = evaluate(make_batches(), model, cfg)
        assert list(evaluator.feature_sets) == ["main", "half", "camera"]
        assert list(evaluator.rankings) == ["main", "half"]
        assert "camera/mAP" not in results
        (query, gallery), camera = evaluator.feature_sets["main"], evaluator.feature_sets["camera"]
        plain, other = (FeatureRows(q.features, g.features).rows(0, 12) for q, g in ((query, gallery), camera))
        expected = evaluate_ranking(plain - 0.3 * other, query.pids, gallery.pids, query.camids, gallery.camids)
        assert results["mAP"] == pytest.approx(100 * expected.mAP)

    def test_an_order_that_makes_no_sense(self):
        cfg = get_vreid_cfg()
        cfg.RERANK.PIPELINE = ["diffusion", "database_augmentation"]
        with pytest.raises(InputError, match="put database_augmentation first"):
            VehicleEvaluator(cfg, NUM_QUERY)

    def test_what_the_images_lack(self, make_batches):
        cfg = get_vreid_cfg()
        cfg.RERANK.PIPELINE = ["tracklet_distance"]
        with pytest.raises(InputError, match="tracklet_distance needs track ids"):
            evaluate(make_batches(keys=("indices",)), cfg=cfg)

    def test_every_protocol(self, make_batches):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["RERANK.PIPELINE", ["diffusion", "pull_tracklets"], "TEST.ROC.ENABLED", True])
        for protocol in (name for name in PROTOCOL_REGISTRY.names if PROTOCOL_REGISTRY.get(name).needs_labels):
            cfg.TEST.PROTOCOL = protocol
            assert 0 < evaluate(make_batches(), cfg=cfg)[0]["mAP"] <= 100


class TestInput:
    def test_indices_put_images_in_order(self, make_batches):
        shuffled = torch.randperm(72, generator=torch.Generator().manual_seed(0)).tolist()
        assert evaluate(make_batches(shuffled))[0] == evaluate(make_batches())[0]

    def test_fastreid_s_plain_batches(self, make_batches, expected):
        results, evaluator = evaluate(make_batches(keys=()))
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert not any("view" in name for name in results)
        assert set(evaluator.feature_sets["main"][0].track_ids.tolist()) == {-1}

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_other_float_types(self, make_batches, dtype):
        _, evaluator = evaluate(make_batches(), PassThrough(main=lambda f: f.to(dtype)))
        assert evaluator.feature_sets["main"][0].features.dtype == torch.float32

    def test_non_contiguous_outputs_and_reused_memory(self, make_batches, expected):
        """The model writes every output into one buffer, as a compiled one may."""
        buffer = torch.empty(8, 10)

        def into_buffer(feature):
            return buffer[:, : len(feature)].copy_(feature.T).T

        assert evaluate(make_batches(), PassThrough(main=into_buffer))[0]["mAP"] == pytest.approx(100 * expected.mAP)

    def test_much_more_than_one_flush(self, make_batches, expected, monkeypatch):
        monkeypatch.setattr("vreid_common.features.collector._FLUSH_BYTES", 500)
        assert evaluate(make_batches())[0]["mAP"] == pytest.approx(100 * expected.mAP)

    def test_without_our_config_keys(self, make_batches, expected):
        cfg = get_cfg()
        cfg.freeze()
        assert evaluate(make_batches(), cfg=cfg)[0]["mAP"] == pytest.approx(100 * expected.mAP)
        assert "PROTOCOL" not in cfg.TEST


class TestRefusals:
    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("METRIC", "hamming", r"TEST\.METRIC is 'hamming': use one of cosine, euclidean, dot"),
            ("PROTOCOL", "Nothing", r"TEST\.PROTOCOL is 'Nothing': use one of .*SameCameraKept"),
            ("MAX_RANK", 0, r"TEST\.MAX_RANK is 0"),
        ],
    )
    def test_config(self, key, value, message):
        cfg = get_vreid_cfg()
        cfg.merge_from_list([f"TEST.{key}", value])
        with pytest.raises(InputError, match=message):
            VehicleEvaluator(cfg, NUM_QUERY)

    @pytest.mark.parametrize(
        ("order", "message"),
        [
            ([*range(71), 5], "Image 5 of the test set was evaluated more than once"),
            ([*range(30), *range(31, 72)], "Image 30 of the test set was not evaluated"),
            ([], "no batch"),
            (range(12), "12 images of which 12 are queries"),
        ],
    )
    def test_images(self, make_batches, order, message):
        with pytest.raises(InputError, match=message):
            evaluate(make_batches(order))

    def test_features_that_are_not_finite(self, make_batches):
        def spoil(feature):
            return torch.where(feature == feature.max(), torch.nan, feature)

        with pytest.raises(InputError, match=r"Feature 'main' .* row \d+ \([qg]\d+\.jpg\) is not finite"):
            evaluate(make_batches(), PassThrough(main=spoil))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"targets": ["VeRi_1"] * 10}, "'targets'"),
            ({"targets": None}, "'targets'"),
            ({"camids": torch.zeros(10)}, "'camids'"),
        ],
    )
    def test_labels(self, make_batches, change, message):
        with pytest.raises(InputError, match=message):
            evaluate([next(make_batches()) | change])

    def test_outputs(self, make_batches):
        with pytest.raises(InputError, match=r"'main' is torch\.float32 \(10, 4, 2\)"):
            evaluate(make_batches(), PassThrough(main=lambda f: f.reshape(-1, 4, 2)))


class Loader(list):
    """What FastReID asks of a test loader."""

    @property
    def dataset(self):
        return range(sum(len(batch["targets"]) for batch in self))


class TestInFastReID:
    """A third party's trainer that only swaps the evaluator in."""

    @pytest.fixture
    def trainer(self, make_batches):
        class Trainer(DefaultTrainer):
            @classmethod
            def build_test_loader(cls, cfg, dataset_name):
                return Loader(make_batches(keys=())), NUM_QUERY

            @classmethod
            def build_evaluator(cls, cfg, dataset_name, output_dir=None):
                data_loader, num_query = cls.build_test_loader(cfg, dataset_name)
                return data_loader, VehicleEvaluator(cfg, num_query, output_dir)

        return Trainer

    def test_trainer_test(self, trainer, expected):
        results = trainer.test(get_cfg(), PassThrough())
        assert results["mAP"] == pytest.approx(100 * expected.mAP)

    def test_nothing_is_compiled_or_written_into_site_packages(self, trainer):
        """Fault A5: FastReID's evaluator runs `make` in its own folder."""
        folder = Path(fastreid.evaluation.__file__).parent / "rank_cylib"
        before = sorted(folder.iterdir())
        trainer.test(get_cfg(), PassThrough())
        assert sorted(folder.iterdir()) == before
