import pytest
import torch
from wcvl import WCVLEvaluator
from wcvl.csc import class_separability


def test_feature_every_feature_has_its_own_separability(make_cfg):
    pids = torch.tensor([0, 1, 0, 0, 1, 1, 2])
    features = {"na": torch.randn(7, 6), "main": torch.randn(7, 6)}
    evaluator = WCVLEvaluator(make_cfg("TEST.METRIC", "euclidean"), num_query=2)
    batch = {
        "targets": pids,
        "camids": torch.arange(7),
        "indices": torch.arange(7),
        "img_paths": [f"{i}.jpg" for i in range(7)],
    }
    evaluator.process(batch, features)
    results = evaluator.evaluate()
    for name, prefix in (("na", ""), ("main", "main/")):
        separability = class_separability([features[name]], [pids])
        assert results[f"{prefix}CSC"] == pytest.approx(separability.csc)
        assert results[f"{prefix}trace Sb"] == pytest.approx(separability.between)
        assert results[f"{prefix}trace Sw"] == pytest.approx(separability.within)
        assert 0 < results[f"{prefix}mAP"] <= 100
