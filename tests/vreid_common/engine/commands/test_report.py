"""``vreid report``: the files it writes, its numbers, its size, and its sentences."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common.engine import Trainer
from vreid_common.evaluation import evaluate_ranking
from vreid_common.structures import FeatureRows, FeatureSet


def draw(seed: int, size: int, folder: Path | None) -> FeatureSet:
    """Noisy features of 6 vehicles in 4 cameras, with photographs of noise where there is a folder."""
    rng = np.random.default_rng(seed)
    pids, camids = np.arange(size) % 6, rng.integers(0, 4, size)
    features = np.random.default_rng(9).normal(size=(6, 8))[pids] + rng.normal(size=(size, 8))
    paths = [f"{folder}/{seed}_{i}.jpg" for i in range(size)]
    for path in paths if folder else ():
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(path)
    return FeatureSet.create(features, pids, camids, pids * 10 + camids, paths=paths)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[FeatureSet, FeatureSet]:
    sets = draw(0, 12, tmp_path), draw(1, 60, tmp_path)
    for name, images in zip(("query", "gallery"), sets, strict=True):
        images.save(tmp_path / name)
    return sets


@pytest.fixture
def report(vreid: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """``report("--steps", ...)``: what the command prints, or its sentence where ``status`` is 2."""

    def run(*arguments: object, status: int = 0, output: str = "report.html") -> str:
        files = ("--query", tmp_path / "query", "--gallery", tmp_path / "gallery", "--output", tmp_path / output)
        return vreid("report", *files, *arguments, status=status)

    return run


@pytest.fixture
def second_weights(tiny: Callable, tmp_path: Path) -> Path:
    """The checkpoint of another untrained model of the tiny configuration."""
    torch.manual_seed(2)
    model = Trainer.build_model(tiny("MODEL.HEADS.NUM_CLASSES", 6, "MODEL.BACKBONE.PRETRAIN", False))
    torch.save({"model": model.state_dict()}, tmp_path / "second.pth")
    return tmp_path / "second.pth"


def test_page_table_and_json_say_the_same(report, sets, tmp_path):
    printed = report("--steps", "average_query_expansion", "--json", tmp_path / "out.json")
    query, gallery = sets
    expected = evaluate_ranking(
        FeatureRows(query.features, gallery.features), query.pids, gallery.pids, query.camids, gallery.camids
    )
    record = json.loads((tmp_path / "out.json").read_text())
    plain, reranked = record["results"]
    assert plain["name"] == "no re-ranking"
    assert reranked["re-ranking"][0]["step"] == "average_query_expansion"
    assert plain["metrics"]["mAP"] == pytest.approx(expected.mAP)
    assert plain["cmc"] == pytest.approx(expected.cmc.tolist())
    page = (tmp_path / "report.html").read_text()
    assert f"<dd>{100 * expected.mAP:.2f} <small>" in page
    assert f"{100 * expected.mAP:.2f}" in printed
    assert re.search(r"report.html: \d\.\d MB\.$", printed.strip())
    details = record["report"]["rankings"]["no re-ranking"]
    junk = ((query.pids[:, None] == gallery.pids) & (query.camids[:, None] == gallery.camids)).sum()
    assert sum(details["distances"]["positives"]) + sum(details["distances"]["negatives"]) == 12 * 60 - junk
    assert np.array(details["cameras"]["mAP"], float).shape == (4, 4)
    assert details["views"] is None
    assert not list(tmp_path.glob(".*"))


def test_two_models_have_their_maps(report, sets, config_file, weights, second_weights, tmp_path):
    models = [x for path in (weights, second_weights) for x in ("--config-file", config_file, "--weights", path)]
    before = [images.features.clone() for images in sets]
    report(*models, "--maps", 2, "--queries", 2)
    page = (tmp_path / "report.html").read_text().replace("<wbr>", "")
    for path in (weights, second_weights):
        assert page.count(f"<p>tiny, {path}</p>") == 2
        assert f"Configuration of tiny, {path}" in page
    assert page.count("<p>as seen</p>") == 2
    assert all(torch.equal(images.features, kept) for images, kept in zip(sets, before, strict=True))


def test_ten_thousand_gallery_images(report, tmp_path):
    """Only the images that are shown are in the page, whatever the size of the gallery; no re-ranking is timed here."""
    query, gallery = draw(0, 50, None), draw(1, 10_000, None)
    rng = np.random.default_rng(0)
    shared = [tmp_path / f"{place}.jpg" for place in range(7)]
    for path in shared:
        Image.fromarray(rng.integers(0, 256, (300, 400, 3), np.uint8)).save(path)
    for name, images in (("query", query), ("gallery", gallery)):
        paths = [str(shared[i % 7]) for i in range(len(images))]
        FeatureSet.create(images.features, images.pids, images.camids, images.track_ids, paths=paths).save(tmp_path / name)
    started = time.perf_counter()
    report("--points", 200)
    assert time.perf_counter() - started < 60
    assert 1e6 < (tmp_path / "report.html").stat().st_size < 30e6, "noise is what JPEG compresses least"


def test_without_labels(report, tmp_path):
    for name, seed in (("query", 0), ("gallery", 1)):
        FeatureSet.create(draw(seed, 20, None).features, [-1] * 20).save(tmp_path / name)
    assert "nothing was evaluated" in report("--json", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["results"][0]["metrics"] is None
    assert "nothing is measured" in (tmp_path / "report.html").read_text()


class TestRefusals:
    def test_another_ending(self, report, sets):
        assert report(output="report.pdf", status=2).endswith("report.pdf: end the name of a page in .html.\n")

    def test_an_input_as_output(self, report, sets, tmp_path):
        (tmp_path / "labels.html").touch()
        assert "it is an input" in report("--labels", tmp_path / "labels.html", output="labels.html", status=2)

    def test_weights_without_a_configuration(self, report, sets, weights):
        assert "--config-file is given 0 times and --weights 1" in report("--weights", weights, status=2)

    def test_a_configuration_without_weights(self, report, sets, config_file):
        assert "--config-file is given 1 times and --weights 0" in report("--config-file", config_file, status=2)

    def test_a_seed_below_0(self, report, sets):
        assert "use 0 or more" in report("--seed", -1, status=2)

    def test_some_queries_without_identity(self, report, sets, tmp_path):
        query = FeatureSet.create(sets[0].features, [-1, *sets[0].pids[1:].tolist()])
        query.save(tmp_path / "query")
        assert "12 queries, 1 of them left out for want of a match (1 are of unknown vehicle)" in report()

    def test_features_too_large(self, report, sets, tmp_path):
        FeatureSet.create(sets[0].features * 1e30, sets[0].pids).save(tmp_path / "query")
        assert "too large to be compared" in report("--metric", "euclidean", status=2)
