import pytest
import torch
from dsam import DSAMEvaluator, class_distances


def test_feature_every_feature_has_its_own_distances(make_cfg):
    pids = torch.tensor([0, 1, 0, 0, 1, 1, 2])
    features = {"main": torch.randn(7, 6), "half": torch.randn(7, 3)}
    evaluator = DSAMEvaluator(make_cfg(), num_query=2)
    labels = {"targets": pids, "camids": torch.arange(7), "indices": torch.arange(7), "img_paths": [f"{i}" for i in range(7)]}
    evaluator.process(labels, features)
    results = evaluator.evaluate()
    for name, prefix in (("main", ""), ("half", "half/")):
        expected = class_distances([features[name]], [pids])
        assert results[f"{prefix}intra"] == pytest.approx(expected.intra)
        assert results[f"{prefix}inter"] == pytest.approx(expected.inter)
        assert results[f"{prefix}inter/intra"] == pytest.approx(expected.inter / expected.intra)
        assert results[f"{prefix}intra angle"] == pytest.approx(expected.intra_angle)
        assert results[f"{prefix}inter angle"] == pytest.approx(expected.inter_angle)
        assert 0 < results[f"{prefix}mAP"] <= 100
