"""results.json says how distances were made."""

import json
from pathlib import Path

import numpy as np
import pytest

from vreid_common.config import get_vreid_cfg
from vreid_common.engine.results import write_curves, write_results
from vreid_common.evaluation import RankingMetrics


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], False),
        (["TEST.RERANK.ENABLED", True, "TEST.RERANK.K1", 30], "k_reciprocal(k1=30, k2=6, lambda_value=0.3)"),
        (["RERANK.PIPELINE", ["pull_tracklets"]], "pull_tracklets"),
    ],
)
def test_re_ranking_stands_in_the_protocol(options: list, said: object, tmp_path: Path):
    cfg = get_vreid_cfg()
    cfg.merge_from_list([*options, "OUTPUT_DIR", str(tmp_path)])
    write_results(cfg, {"Street": {"mAP": 50.0}}, Path("model_final.pth"), seconds=1)
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["protocol"]["re-ranking"] == said
    assert record["seconds"] == 1
    assert record["protocol"].keys() == {"name", "distance", "flip", "precision", "re-ranking"}
    assert record["versions"].keys() >= {"torch", "python"}


def test_what_a_number_depends_on_stands_in_the_protocol(tmp_path: Path):
    cfg = get_vreid_cfg()
    cfg.merge_from_list(["TEST.PROTOCOL", "OneQueryImage", "TEST.NUM_DRAWS", 3, "TEST.TOP_K", 100, "OUTPUT_DIR", str(tmp_path)])
    cfg.DATASETS.VALIDATION.NUM_IDS = 80
    write_results(cfg, {"VehicleID": {"mAP@100": 50.0}}, Path("model_final.pth"))
    protocol = json.loads((tmp_path / "results.json").read_text())["protocol"]
    assert protocol["name"] == "OneQueryImage"
    assert (protocol["top_k"], protocol["normalizer"], protocol["draws"], protocol["draw seed"]) == (100, "all", 3, 0)
    assert (protocol["validation identities"], protocol["validation seed"]) == (80, 0)


def test_curves_of_every_feature_and_subset(tmp_path: Path):
    cfg = get_vreid_cfg()
    cfg.OUTPUT_DIR = str(tmp_path / "run")
    write_curves(cfg, {"AICity": {}})
    assert not (tmp_path / "run").exists()
    ranking = RankingMetrics(0.5, np.array([1 / 3, 1.0]), 0.5, 3, 3)
    write_curves(cfg, {"VeRi776": {"main": ranking, "main/small": ranking}, "AICity": {}})
    written = json.loads((tmp_path / "run" / "cmc.json").read_text())
    assert written == {"VeRi776": {"main": [0.333333, 1.0], "main/small": [0.333333, 1.0]}}
