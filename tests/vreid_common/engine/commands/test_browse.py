"""``vreid browse``: what it reads, its sentences, and how it ends."""

import os
import re
import signal
import subprocess
import sys

import pytest
import torch

from vreid_common.cli import build_parser
from vreid_common.engine.commands.browse import _read_session
from vreid_common.extras import require_extra
from vreid_common.structures import FeatureSet

gradio = pytest.importorskip("gradio", reason="the extra demo is not installed")


@pytest.fixture
def read():
    """A function: arguments to the session and why it takes no pictures."""
    return lambda *arguments: _read_session(build_parser().parse_args(["browse", *map(str, arguments)]))


@pytest.fixture
def files(tmp_path):
    """The arguments that name feature files."""
    random = torch.Generator().manual_seed(0)
    for name, count in (("q", 3), ("g", 12)):
        features = torch.randn(count, 512, generator=random)
        FeatureSet.create(features, torch.arange(count) % 3, torch.arange(count) % 2).save(tmp_path / name)
    return "--query", tmp_path / "q", "--gallery", tmp_path / "g"


def test_feature_files(read, files, tmp_path):
    session, no_upload = read(*files, "--steps", "k_reciprocal", "--set", "k_reciprocal.k1=4", "--metric", "euclidean")
    assert list(session.pipelines) == ["no re-ranking", "re-ranked by k_reciprocal(k1=4, k2=6, lambda_value=0.3)"]
    assert {pipeline.metric for pipeline in session.pipelines.values()} == {"euclidean"}
    assert (len(session.query), len(session.gallery), session.candidates) == (3, 12, None)
    assert no_upload.startswith("Start vreid browse with the model")
    (tmp_path / "steps.yml").write_text("first: [k_reciprocal]\nsecond: [database_augmentation]\n")
    session, _ = read(*files, "--pipelines", tmp_path / "steps.yml", "--candidates", 7)
    assert list(session.pipelines) == ["no re-ranking", "first", "second"]
    assert session.candidates == 7
    assert len(read("--gallery", tmp_path / "g")[0].pool) == 12


def test_a_configurations_re_rankings_and_its_model(read, files, model, vehicles, tmp_path):
    compare = "[['short', 'k_reciprocal']]"
    opts = ("--opts", "RERANK.COMPARE", compare, "RERANK.K_RECIPROCAL.K1", "5")
    session, no_upload = read(*files, *model, *opts)
    assert no_upload == ""
    assert list(session.pipelines) == ["no re-ranking", "short"]
    assert session.pipelines["short"].record[0]["k1"] == 5


def test_a_picture_has_the_feature_that_extract_gives_it(read, vreid, model, vehicles, tmp_path):
    vreid("extract", "--csv", vehicles, *model, "--output", tmp_path / "f")
    query, gallery = (FeatureSet.load(tmp_path / name) for name in ("f_query", "f_gallery"))
    session, _ = read("--query", tmp_path / "f_query", "--gallery", tmp_path / "f_gallery", *model)
    found = session._embed(query.paths[2])
    torch.testing.assert_close(found.features, query.features[2:3], atol=1e-5, rtol=1e-4)
    assert found.pids.tolist() == [-1]
    assert len(session.gallery) == len(gallery)


def test_a_saved_gallery_knows_its_model(read, vreid, model, weights, vehicles, tmp_path):
    vreid("gallery", "build", tmp_path / "cars", "--csv", vehicles, *model, "--metric", "euclidean")
    session, no_upload = read(tmp_path / "cars")
    assert (no_upload, session.candidates, session.query) == ("", 100, None)
    assert session.pipelines["no re-ranking"].metric == "euclidean"
    weights.rename(tmp_path / "moved.pth")
    session, no_upload = read(tmp_path / "cars")
    assert "model.pth does not exist" in no_upload
    assert session._embed is None


class TestBadInput:
    def test_what_is_searched(self, vreid, files, tmp_path):
        assert "Name what is searched" in vreid("browse", status=2)
        assert "Name what is searched" in vreid("browse", tmp_path, *files, status=2)
        assert "is no gallery" in vreid("browse", tmp_path, "--port", 0, status=2)
        assert "--metric goes with --gallery" in vreid("browse", tmp_path, "--metric", "dot", status=2)
        assert "none.safetensors is missing" in vreid("browse", "--gallery", tmp_path / "none", "--port", 0, status=2)
        assert "--labels goes with --query" in vreid("browse", "--gallery", "g", "--labels", "l.csv", status=2)
        further = ("--further", "camera", *files[1::2])
        assert "--candidates ranks each query alone" in vreid("browse", *files, "--candidates", 5, *further, status=2)

    def test_steps(self, vreid, files):
        assert "There is no re-ranking step 'kreciprocal'" in vreid(
            "browse", *files, "--steps", "kreciprocal", "--port", 0, status=2
        )
        assert "--set goes with --steps" in vreid("browse", *files, "--set", "k_reciprocal.k1=3", "--port", 0, status=2)

    def test_port(self, vreid, files):
        assert "cannot be served on 127.0.0.1, port 70000" in vreid("browse", *files, "--port", 70000, status=2)

    def test_without_the_extra(self, vreid, files, monkeypatch):
        monkeypatch.setitem(sys.modules, "gradio", None)
        said = vreid("browse", *files, status=2)
        assert said == "error: Pages in the browser need the package gradio: run pip install 'vreid[demo]'.\n"
        assert require_extra("demo", "Pages", "json")[0].dumps([]) == "[]"


def test_it_prints_its_address_and_leaves_nothing_when_it_is_ended(files, tmp_path):
    (tmp_path / "temporary").mkdir()
    env = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-m", "vreid_common", "browse", *map(str, files), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        line = process.stdout.readline()
        assert re.match(r"http://127\.0\.0\.1:\d+ ", line), line + process.stderr.read()
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in errors
    assert not list((tmp_path / "temporary").glob("vreid-browse-*"))
