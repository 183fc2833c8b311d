"""VehicleEvaluator: what it returns, logs and saves, of the whole test set and of parts of it."""

import logging
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch

from vreid_common.config import get_vreid_cfg
from vreid_common.evaluation import (
    OneGalleryImage,
    SameCameraExcluded,
    VehicleEvaluator,
    apply_protocol,
    evaluate_ranking,
    inference_on_dataset,
)
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import FeatureRows, FeatureSet


class TestResult:
    def test_percentages_under_fastreid_s_names(self, evaluate, make_batches, expected):
        results, _ = evaluate(make_batches())
        assert isinstance(results, OrderedDict)
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert [results[f"Rank-{rank}"] for rank in (1, 5, 10)] == pytest.approx([100 * expected.cmc[r] for r in (0, 4, 9)])
        assert results["mINP"] == pytest.approx(100 * expected.mINP)
        assert results["metric"] == pytest.approx(50 * (expected.mAP + expected.cmc[0]))
        assert {"mAP (same view)", "mAP (cross view)"} <= results.keys()
        assert all(type(value) is float for value in results.values())

    def test_roc_in_percent_when_enabled(self, evaluate, make_batches):
        cfg = get_vreid_cfg()
        cfg.TEST.ROC.ENABLED = True
        results, _ = evaluate(make_batches(), cfg=cfg)
        assert 0 < results["TPR@FPR=1e-02"] <= 100
        assert {"TPR@FPR=1e-04", "TPR@FPR=1e-03"} <= results.keys()

    def test_several_features(self, evaluate, pass_through, make_batches, expected):
        model = pass_through(main=lambda f: f, half=lambda f: f[:, :4].bfloat16())
        results, evaluator = evaluate(make_batches(), model)
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert results["half/mAP"] != results["mAP"]
        assert list(evaluator.feature_sets) == list(evaluator.rankings) == ["main", "half"]
        assert evaluator.feature_sets["half"][1].features.shape == (60, 4)

    def test_feature_sets_are_the_data_set(self, evaluate, make_batches, sets):
        _, evaluator = evaluate(make_batches())
        for found, given in zip(evaluator.feature_sets["main"], sets, strict=True):
            assert found.paths == given.paths
            for name in ("features", "pids", "camids", "track_ids", "view_ids"):
                assert torch.equal(getattr(found, name), getattr(given, name))

    def test_extra_metrics_of_a_project(self, pass_through, make_batches):
        class Counting(VehicleEvaluator):
            def extra_metrics(self, name, query, gallery):
                return {f"images of {name}": float(len(query) + len(gallery))}

        results = inference_on_dataset(
            pass_through(a=lambda f: f, b=lambda f: f), make_batches(), Counting(get_vreid_cfg(), num_query=12)
        )
        assert results["images of a"] == results["b/images of b"] == 72

    def test_the_log_names_the_protocol_and_what_was_left_out(self, evaluate, make_batches, caplog):
        with caplog.at_level(logging.INFO):
            evaluate(make_batches())
        assert "same camera excluded" in caplog.text
        assert "no re-ranking" in caplog.text
        assert "12 queries, 0 of them left out" in caplog.text
        assert "main (8-d)" in caplog.text

    @pytest.mark.parametrize("protocol", ["SameCameraKept", "ImageToTrack"])
    def test_protocol_of_the_config(self, evaluate, make_batches, protocol):
        cfg = get_vreid_cfg()
        cfg.TEST.PROTOCOL = protocol
        assert evaluate(make_batches(), cfg=cfg)[0]["mAP"] != evaluate(make_batches())[0]["mAP"]

    def test_draws_of_the_config(self, evaluate, make_batches, sets, caplog):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.PROTOCOL", "OneGalleryImage", "TEST.NUM_DRAWS", 3, "TEST.DRAW_SEED", 5])
        with caplog.at_level(logging.INFO):
            results, evaluator = evaluate(make_batches(), cfg=cfg)
        found = apply_protocol(OneGalleryImage(num_draws=3, seed=5), Pipeline(), *sets)
        assert results == pytest.approx({name: 100 * value for name, value in found.metrics.items()})
        assert evaluator.rankings["main"].num_queries == 72 - 6
        assert "Means of 3 draws (seed 5)" in caplog.text
        assert "Rank-1 (std)" in caplog.text

    def test_the_first_ranks_of_the_config(self, evaluate, make_batches, sets):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.TOP_K", 4, "TEST.NORMALIZER", "min"])
        results, _ = evaluate(make_batches(), cfg=cfg)
        query, gallery = sets
        labels = query.pids, gallery.pids, query.camids, gallery.camids
        expected = evaluate_ranking(FeatureRows(query.features, gallery.features), *labels, top_k=4, normalizer="min")
        assert results["mAP@4"] == pytest.approx(100 * expected.mAP)
        assert "mAP" not in results

    def test_features_are_saved_when_asked_for(self, evaluate, make_batches, sets, tmp_path):
        evaluate(make_batches(), output_dir=tmp_path)
        assert torch.equal(FeatureSet.load(tmp_path / "main_gallery").features, sets[1].features)

    def test_a_second_round_starts_anew(self, pass_through, make_batches):
        evaluator = VehicleEvaluator(get_vreid_cfg(), num_query=12)
        first = inference_on_dataset(pass_through(), make_batches(), evaluator)
        assert inference_on_dataset(pass_through(), make_batches(), evaluator) == first


class TestSubsets:
    """PKU-VD: smaller galleries within the large one, from one extraction."""

    @pytest.fixture
    def subsets(self):
        return {"small": [*range(12), *range(20, 40)], "fewer queries": [0, 3, *range(12, 72)]}

    def test_values_are_those_of_the_part_alone(self, evaluate, make_batches, sets, subsets, caplog):
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

    def test_of_further_features_with_re_ranking(self, evaluate, pass_through, make_batches, sets, subsets):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["RERANK.PIPELINE", ["fuse_distances"], "TEST.METRIC", "euclidean"])
        model = pass_through(main=lambda f: f, half=lambda f: f[:, :4], camera=lambda f: f[:, 4:])
        results, _ = evaluate(make_batches(), model, cfg, subsets=subsets)
        query, gallery = sets[0], sets[1].select(slice(8, 28))
        camera = tuple(FeatureSet.create(part.features[:, 4:], part.pids) for part in (query, gallery))
        half = [replace(part, features=part.features[:, :4].contiguous()) for part in (query, gallery)]
        found = apply_protocol(SameCameraExcluded(), build_pipeline(["fuse_distances"], "euclidean"), *half, {"camera": camera})
        assert results["half/small/mAP"] == pytest.approx(100 * found.metrics["mAP"])
        assert not any(key.startswith("camera") for key in results)
