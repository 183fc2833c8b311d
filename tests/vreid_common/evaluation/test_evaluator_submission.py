"""VehicleEvaluator on AI City's test sets: no labels, a file instead of metrics."""

import logging

import pytest
import torch

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.reranking.tracklets import pull_tracklets
from vreid_common.structures import FeatureRows


class TestSubmission:
    @pytest.fixture
    def cfg(self, tmp_path):
        cfg = get_vreid_cfg()
        cfg.merge_from_list(["TEST.PROTOCOL", "AICitySubmission", "OUTPUT_DIR", str(tmp_path / "run")])
        return cfg

    def unlabelled(self, batches):
        for batch in batches:
            yield batch | {"targets": torch.full_like(batch["targets"], -1)}

    def test_file(self, evaluate, make_batches, sets, cfg, tmp_path, caplog):
        with caplog.at_level(logging.INFO):
            results, evaluator = evaluate(self.unlabelled(make_batches()), cfg=cfg)
        assert results == evaluator.rankings == {}
        query, gallery = sets
        ranking = FeatureRows(query.features, gallery.features).rows(0, 12).argsort(dim=1, stable=True)
        written = (tmp_path / "run" / "track2.txt").read_text().splitlines()
        assert [[int(number) - 1 for number in line.split(" ")] for line in written] == ranking.tolist()
        assert "nothing is measured" in caplog.text
        assert "track2.txt" in caplog.text

    def test_of_a_re_ranking(self, evaluate, make_batches, sets, cfg, tmp_path):
        cfg.RERANK.PIPELINE = ["pull_tracklets"]
        evaluate(self.unlabelled(make_batches()), cfg=cfg)
        query, gallery = sets
        order = pull_tracklets(FeatureRows(query.features, gallery.features).rows(0, 12).argsort(dim=1), gallery.track_ids)
        first = (tmp_path / "run" / "track2.txt").read_text().splitlines()[0]
        assert [int(number) - 1 for number in first.split()] == [i for i in order[0].tolist() if i >= 0]

    def test_one_file_for_each_feature(self, evaluate, pass_through, make_batches, cfg, tmp_path):
        evaluate(self.unlabelled(make_batches()), pass_through(a=lambda f: f, b=lambda f: f), cfg=cfg)
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["track2_a.txt", "track2_b.txt"]

    def test_metrics_of_such_a_set_are_refused(self, evaluate, make_batches):
        with pytest.raises(InputError, match="None of the 12 queries has an identity"):
            evaluate(self.unlabelled(make_batches()))
