"""VehicleEvaluator with a pipeline of re-ranking in its config."""

import logging

import pytest
import torch
from fastreid.config import get_cfg

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator, evaluate_ranking
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.reranking.pipeline import build_pipeline
from vreid_common.structures import FeatureRows, FeatureSet


class TestReranking:
    def measured(self, sets, names, parameters=None, **options):
        query, gallery = sets
        retrieval = build_pipeline(names, parameters=parameters)(query, gallery)
        return evaluate_ranking(retrieval.distance, query.pids, gallery.pids, query.camids, gallery.camids, **options)

    def test_pipeline_of_the_config(self, evaluate, make_batches, sets, caplog):
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
    def test_fastreid_s_keys(self, evaluate, make_batches, sets, make_cfg):
        """Faults A6, B12 and B22: FastReID's own need a GPU, mix units and expand over an N×N matrix."""
        cfg = make_cfg()
        cfg.merge_from_list(["TEST.AQE.ENABLED", True, "TEST.AQE.QE_TIME", 2, "TEST.RERANK.ENABLED", True])
        cfg.freeze()
        parameters = {"alpha_query_expansion": {"k": 5, "alpha": 3.0, "rounds": 2}}
        expected = self.measured(sets, ["alpha_query_expansion", "k_reciprocal"], parameters)
        assert evaluate(make_batches(), cfg=cfg)[0]["mAP"] == pytest.approx(100 * expected.mAP)

    def test_saved_features_are_the_model_s(self, evaluate, make_batches, sets, tmp_path):
        cfg = get_vreid_cfg()
        cfg.RERANK.PIPELINE = ["database_augmentation"]
        _, evaluator = evaluate(make_batches(), cfg=cfg, output_dir=tmp_path)
        assert torch.equal(FeatureSet.load(tmp_path / "main_gallery").features, sets[1].features)
        assert torch.equal(evaluator.feature_sets["main"][1].features, sets[1].features)

    def test_further_features_serve_the_others(self, evaluate, pass_through, make_batches):
        model = pass_through(main=lambda f: f, half=lambda f: f[:, :4], camera=lambda f: f[:, 4:])
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
            VehicleEvaluator(cfg, num_query=12)

    def test_what_the_images_lack(self, evaluate, make_batches):
        cfg = get_vreid_cfg()
        cfg.RERANK.PIPELINE = ["tracklet_distance"]
        with pytest.raises(InputError, match="tracklet_distance needs track ids"):
            evaluate(make_batches(keys=("indices",)), cfg=cfg)

    def test_every_protocol(self, evaluate, make_batches):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["RERANK.PIPELINE", ["diffusion", "pull_tracklets"], "TEST.ROC.ENABLED", True])
        for protocol in (name for name in PROTOCOL_REGISTRY.names if PROTOCOL_REGISTRY.get(name).needs_labels):
            cfg.TEST.PROTOCOL = protocol
            assert 0 < evaluate(make_batches(), cfg=cfg)[0]["mAP"] <= 100
