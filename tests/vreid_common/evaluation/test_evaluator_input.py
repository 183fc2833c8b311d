"""VehicleEvaluator: what batches it accepts, and what it refuses."""

import pytest
import torch
from fastreid.config import get_cfg

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator


class TestInput:
    def test_indices_put_images_in_order(self, evaluate, make_batches):
        shuffled = torch.randperm(72, generator=torch.Generator().manual_seed(0)).tolist()
        assert evaluate(make_batches(shuffled))[0] == evaluate(make_batches())[0]

    def test_fastreid_s_plain_batches(self, evaluate, make_batches, expected):
        results, evaluator = evaluate(make_batches(keys=()))
        assert results["mAP"] == pytest.approx(100 * expected.mAP)
        assert not any("view" in name for name in results)
        assert set(evaluator.feature_sets["main"][0].track_ids.tolist()) == {-1}

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_other_float_types(self, evaluate, pass_through, make_batches, dtype):
        _, evaluator = evaluate(make_batches(), pass_through(main=lambda f: f.to(dtype)))
        assert evaluator.feature_sets["main"][0].features.dtype == torch.float32

    def test_non_contiguous_outputs_and_reused_memory(self, evaluate, pass_through, make_batches, expected):
        """The model writes every output into one buffer, as a compiled one may."""
        buffer = torch.empty(8, 10)

        def into_buffer(feature):
            return buffer[:, : len(feature)].copy_(feature.T).T

        assert evaluate(make_batches(), pass_through(main=into_buffer))[0]["mAP"] == pytest.approx(100 * expected.mAP)

    def test_much_more_than_one_flush(self, evaluate, make_batches, expected, monkeypatch):
        monkeypatch.setattr("vreid_common.features.collector._FLUSH_BYTES", 500)
        assert evaluate(make_batches())[0]["mAP"] == pytest.approx(100 * expected.mAP)

    def test_without_our_config_keys(self, evaluate, make_batches, expected):
        cfg = get_cfg()
        cfg.freeze()
        assert evaluate(make_batches(), cfg=cfg)[0]["mAP"] == pytest.approx(100 * expected.mAP)
        assert "PROTOCOL" not in cfg.TEST


class TestRefusals:
    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("METRIC", "hamming", r"TEST\.METRIC is 'hamming': use cosine, euclidean or dot"),
            ("PROTOCOL", "Nothing", r"TEST\.PROTOCOL is 'Nothing': use one of .*SameCameraKept"),
            ("MAX_RANK", 0, r"TEST\.MAX_RANK is 0"),
        ],
    )
    def test_config(self, key, value, message):
        cfg = get_vreid_cfg()
        cfg.merge_from_list([f"TEST.{key}", value])
        with pytest.raises(InputError, match=message):
            VehicleEvaluator(cfg, num_query=12)

    @pytest.mark.parametrize(
        ("order", "message"),
        [
            ([*range(71), 5], "Image 5 of the test set was evaluated more than once"),
            ([*range(30), *range(31, 72)], "Image 30 of the test set was not evaluated"),
            ([], "no batch"),
            (range(12), "12 images of which 12 are queries"),
        ],
    )
    def test_images(self, evaluate, make_batches, order, message):
        with pytest.raises(InputError, match=message):
            evaluate(make_batches(order))

    def test_features_that_are_not_finite(self, evaluate, pass_through, make_batches):
        def spoil(feature):
            return torch.where(feature == feature.max(), torch.nan, feature)

        with pytest.raises(InputError, match=r"Feature 'main' .* row \d+ \([qg]\d+\.jpg\) is not finite"):
            evaluate(make_batches(), pass_through(main=spoil))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"targets": ["VeRi_1"] * 10}, "'targets'"),
            ({"targets": None}, "'targets'"),
            ({"camids": torch.zeros(10)}, "'camids'"),
        ],
    )
    def test_labels(self, evaluate, make_batches, change, message):
        with pytest.raises(InputError, match=message):
            evaluate([next(make_batches()) | change])

    def test_outputs(self, evaluate, pass_through, make_batches):
        with pytest.raises(InputError, match=r"'main' is torch\.float32 \(10, 4, 2\)"):
            evaluate(make_batches(), pass_through(main=lambda f: f.reshape(-1, 4, 2)))
