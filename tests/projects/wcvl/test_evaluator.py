import pytest
import torch
from torch.nn.functional import normalize
from wcvl import WCVLEvaluator
from wcvl.csc import class_separability


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
def test_feature_every_feature_has_its_own_separability(make_cfg, metric):
    pids = torch.tensor([0, 1, 0, 0, 1, 1, 2])
    features = {"na": torch.randn(7, 6), "main": torch.randn(7, 6)}
    evaluator = WCVLEvaluator(make_cfg("TEST.METRIC", metric), num_query=2)
    batch = {
        "targets": pids,
        "camids": torch.arange(7),
        "indices": torch.arange(7),
        "img_paths": [f"{i}.jpg" for i in range(7)],
    }
    evaluator.process(batch, features)
    results = evaluator.evaluate()
    for name, prefix in (("na", ""), ("main", "main/")):
        compared = normalize(features[name]) if metric == "cosine" else features[name]
        separability = class_separability([compared], [pids])
        assert results[f"{prefix}CSC"] == pytest.approx(separability.csc)
        assert results[f"{prefix}trace Sb"] == pytest.approx(separability.between)
        assert results[f"{prefix}trace Sw"] == pytest.approx(separability.within)
        assert 0 < results[f"{prefix}mAP"] <= 100
