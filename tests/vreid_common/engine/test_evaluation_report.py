"""``TEST.REPORT``: an evaluation's page has the evaluation's numbers and the model's maps."""

import pytest
from torch import nn

from vreid_common.engine import Trainer
from vreid_common.engine import evaluation_report as report


@pytest.fixture
def evaluated(tiny, tmp_path):
    """A function: evaluates an untrained model with the given overrides; returns the results and the page, None if none."""

    def run(*opts):
        cfg = tiny("MODEL.BACKBONE.PRETRAIN", False, "MODEL.HEADS.NUM_CLASSES", 6, *opts)
        results = Trainer.test_all(cfg, Trainer.build_model(cfg))["CSVVehicles"]
        path = tmp_path / "out" / "report_CSVVehicles.html"
        return results, path.read_text(encoding="utf-8") if path.exists() else None

    return run


def test_off_by_default(evaluated):
    assert evaluated()[1] is None


def test_numbers_rankings_and_maps(evaluated):
    compared = [["expanded", "average_query_expansion"]]
    results, page = evaluated("TEST.REPORT", True, "RERANK.PIPELINE", "['k_reciprocal']", "RERANK.COMPARE", compared)
    assert f"<dd>{results['mAP']:.2f} <small>" in page
    assert f"<td>{results['expanded/mAP']:.2f}</td>" in page
    for name in (
        "main, re-ranked<small>re-ranked by k_reciprocal(",
        "main, expanded<small>re-ranked by average_query_expansion(",
    ):
        assert name in page.replace("<wbr>", "")
    assert "CSVVehicles</h1>" in page
    assert "<p>Baseline</p>" in page or "<p>VehicleBaseline</p>" in page
    assert "SAMPLER_TRAIN: NaiveIdentitySampler" in page
    assert "class=&#34;gone&#34;" not in page
    assert 'class="gone"' not in page


def test_a_network_without_feature_maps_ends_no_evaluation(evaluated, monkeypatch, caplog):
    def refuse(model, batch):
        raise report.InputError("no feature map")

    monkeypatch.setattr("vreid_common.report.activation_pairs.similarity_maps", refuse)
    _, page = evaluated("TEST.REPORT", True)
    assert 'id="activation"' not in page
    assert "no activation maps: no feature map" in caplog.text


def test_an_evaluator_of_another_kind_has_no_report(tiny, monkeypatch, tmp_path):
    class Other:
        def reset(self): ...

        def process(self, inputs, outputs): ...

        def evaluate(self):
            return {"mAP": 1.0}

    cfg = tiny("MODEL.BACKBONE.PRETRAIN", False, "MODEL.HEADS.NUM_CLASSES", 6, "TEST.REPORT", True)
    assert Trainer.test_all(cfg, nn.Linear(1, 1), {"CSVVehicles": ([], Other())})["CSVVehicles"] == {"mAP": 1.0}
    assert not list((tmp_path / "out").glob("report*"))
