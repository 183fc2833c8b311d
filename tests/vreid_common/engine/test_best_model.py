"""model_best.pth goes by a named metric of a named test set."""

import logging

import pytest
from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.engine.best_model import deciding_metric, say_what_decides
from vreid_common.engine.rules import the_best_is_of_a_test_set
from vreid_common.errors import InputError

RESULTS = {"Near": {"mAP": 10.0, "main/mAP": 20.0, "metric": 15.0}, "Far": {"mAP": 30.0, "metric": 35.0}}


def cfg_of(dataset: str = "", metric: str = "metric") -> CfgNode:
    cfg = get_vreid_cfg()
    cfg.DATASETS.TESTS = ("Near", "Far")
    cfg.TEST.BEST.DATASET, cfg.TEST.BEST.METRIC = dataset, metric
    return cfg


@pytest.mark.parametrize(
    ("dataset", "metric", "value"),
    [("", "metric", 15.0), ("Far", "metric", 35.0), ("Near", "main/mAP", 20.0), ("Far", "mAP", 30.0)],
)
def test_the_named_number_decides_and_is_said(dataset: str, metric: str, value: float, caplog: pytest.LogCaptureFixture):
    cfg = cfg_of(dataset, metric)
    the_best_is_of_a_test_set(cfg)
    assert deciding_metric(cfg, RESULTS) == value
    with caplog.at_level(logging.INFO):
        say_what_decides(cfg)
    assert f"model_best.pth goes by {metric} of {dataset or 'Near'}" in caplog.text


def test_a_metric_that_is_not_there_is_said_and_fastreids_decides(caplog: pytest.LogCaptureFixture):
    assert deciding_metric(cfg_of(metric="mIoU"), RESULTS) == 15.0
    assert "TEST.BEST.METRIC is 'mIoU', which the evaluation of Near does not have" in caplog.text
    assert "It has mAP, main/mAP, metric." in caplog.text


@pytest.mark.parametrize("results", [{}, {"Near": {}, "Far": {}}])
def test_nothing_decides_off_the_main_process(results: dict):
    assert deciding_metric(cfg_of(), results) is None


def test_an_unknown_set_is_refused():
    with pytest.raises(InputError, match=r"TEST.BEST.DATASET is 'VeRi': name one of DATASETS.TESTS \['Near', 'Far'\]"):
        the_best_is_of_a_test_set(cfg_of("VeRi"))
