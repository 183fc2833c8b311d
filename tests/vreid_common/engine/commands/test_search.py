"""``vreid search``: ranked matches of images and of features, re-ranked and not, and its sentences."""

import json

import numpy as np
import pytest
import torch

from vreid_common.structures import FeatureSet


@pytest.fixture
def features(vreid, model, vehicles, tmp_path) -> tuple[FeatureSet, FeatureSet]:
    """(query, gallery), of which the latter is in the gallery ``g``."""
    vreid("extract", "--csv", vehicles, *model, "--combine", "mean", "--output", tmp_path / "f")
    vreid("gallery", "build", tmp_path / "g", "--csv", vehicles, *model, "--combine", "mean")
    return FeatureSet.load(tmp_path / "f_query"), FeatureSet.load(tmp_path / "f_gallery")


@pytest.fixture
def search(features, vreid, tmp_path):
    """A function: arguments to the JSON of the matches, a list of each query's."""

    def run(*arguments):
        vreid("search", tmp_path / "g", *arguments, "--json", tmp_path / "found.json")
        return json.loads((tmp_path / "found.json").read_text())

    return run


def test_an_image(search, features, vehicles):
    query, gallery = features
    found = search(vehicles.parent / "7_0_0.png", "--top", 3)
    assert [asked["query"] for asked in found["queries"]] == [str(vehicles.parent / "7_0_0.png")]
    row = query.paths.index(str(vehicles.parent / "7_0_0.png"))
    a, b = (side.features.double().numpy() for side in (query.select([row]), gallery))
    distances = 1 - (b @ a[0]) / np.linalg.norm(b, axis=1) / np.linalg.norm(a)
    order = np.argsort(distances, kind="stable")[:3]
    matches = found["queries"][0]["matches"]
    assert [match["image"] for match in matches] == [gallery.paths[i] for i in order]
    assert [match["rank"] for match in matches] == [1, 2, 3]
    np.testing.assert_allclose([match["distance"] for match in matches], distances[order], atol=1e-5)
    assert [match["vehicle"] for match in matches] == [str(pid) for pid in gallery.pids[order].tolist()]
    assert [match["camera"] for match in matches] == [str(camid) for camid in gallery.camids[order].tolist()]
    assert [match["track"] for match in matches] == [None] * 3


def test_the_table(features, vreid, vehicles, tmp_path):
    lines = vreid("search", tmp_path / "g", vehicles.parent / "7_0_0.png", "--top", 2).splitlines()
    assert lines[0] == f"{vehicles.parent}/7_0_0.png:"
    assert lines[1].split() == ["rank", "distance", "vehicle", "camera", "track", "image"]
    assert lines[3].split()[0] == "1"
    assert lines[3].split()[4] == "-"
    assert len(lines) == 5


def test_features_of_queries(search, features, tmp_path):
    found = search("--query", tmp_path / "f_query", "--top", 8)
    assert [asked["query"] for asked in found["queries"]] == list(features[0].paths)
    assert all(len(asked["matches"]) == 8 for asked in found["queries"])


def test_re_ranked(search, features, tmp_path):
    steps = ("--rerank", "k_reciprocal", "--set", "k_reciprocal.k1=3", "k_reciprocal.k2=1", "--candidates", 5)
    found = search("--query", tmp_path / "f_query", "--top", 5, *steps)
    plain = search("--query", tmp_path / "f_query", "--top", 5)
    assert found["re-ranking"] == [{"step": "k_reciprocal", "k1": 3, "k2": 1, "lambda_value": 0.3}]
    assert found["candidates"] == 5
    for ours, theirs in zip(found["queries"], plain["queries"], strict=True):
        assert {match["image"] for match in ours["matches"]} == {match["image"] for match in theirs["matches"]}
    assert found["queries"] != plain["queries"]


def test_a_folder_of_queries_by_a_model_that_has_moved(search, weights, config_file, vehicles, tmp_path):
    moved = weights.rename(tmp_path / "moved.pth")
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked" / "a.png").write_bytes((vehicles.parent / "8_0_0.png").read_bytes())
    found = search(tmp_path / "asked", "--config-file", config_file, "--weights", moved)
    assert [asked["query"] for asked in found["queries"]] == [str(tmp_path / "asked" / "a.png")]


def test_exact_beside_an_index(vreid, tmp_path):
    images = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    FeatureSet.create(images, torch.arange(400)).save(tmp_path / "f")
    FeatureSet.create(images[:2], [0, 1]).save(tmp_path / "q")
    vreid("gallery", "build", tmp_path / "g", "--features", tmp_path / "f", "--index", "ivf", "--recall", 0.5)
    for options, index in (((), "ivf"), (("--exact",), "exact")):
        vreid("search", tmp_path / "g", "--query", tmp_path / "q", *options, "--json", tmp_path / "found.json")
        found = json.loads((tmp_path / "found.json").read_text())
        assert found["index"] == index
        assert [asked["matches"][0]["vehicle"] for asked in found["queries"]] == ["0", "1"]


class TestBadInput:
    def test_queries(self, features, vreid, vehicles, tmp_path):
        image = vehicles.parent / "0_0_0.png"
        assert "Give queries: images, or their features by --query." in vreid("search", tmp_path / "g", status=2)
        assert "Give queries" in vreid("search", tmp_path / "g", image, "--query", "x", status=2)
        assert "There is no image or folder" in vreid("search", tmp_path / "g", "none.jpg", status=2)
        FeatureSet.create(torch.eye(4), [1, 2, 3, 4]).save(tmp_path / "small")
        said = vreid("search", tmp_path / "g", "--query", tmp_path / "small", status=2)
        assert "The query's features have 4 dimensions and the gallery's 512" in said

    def test_steps(self, features, vreid, tmp_path):
        search = ("search", tmp_path / "g", "--query", tmp_path / "f_query")
        assert "--set goes with --rerank." in vreid(*search, "--set", "k_reciprocal.k1=3", status=2)
        assert "There is no re-ranking step 'kreciprocal'" in vreid(*search, "--rerank", "kreciprocal", status=2)
        assert "needs track ids" in vreid(*search, "--rerank", "tracklet_distance", status=2)

    def test_no_gallery(self, vreid, tmp_path):
        assert "is no gallery" in vreid("search", tmp_path, "--query", "x", status=2)
