"""``vreid bench``: what it times computes the same thing on both sides; what it prints and writes; its sentences."""

import json

import numpy as np
import torch

from vreid_common.cli import build_parser
from vreid_common.evaluation.commands.bench import _contests, _random_features
from vreid_common.structures import FeatureSet

SMALL = ("--gallery-images", 150, "--queries", 20, "--dimensions", 8, "--repeats", 2)


def test_both_sides_compute_the_same():
    query, gallery = _random_features(30, 300, 16)
    args = build_parser().parse_args(["bench", "--k1", "8", "--k2", "3"])
    (_, ours, theirs), (_, reranked, fastreid) = _contests(query, gallery, args)
    found, (cmc, ap, inp) = ours(), theirs()
    np.testing.assert_allclose(found.mAP, np.mean(ap), atol=1e-6)
    np.testing.assert_allclose(found.cmc[:10], cmc[:10], atol=1e-6)
    np.testing.assert_allclose(found.mINP, np.mean(inp), atol=1e-6)
    np.testing.assert_allclose(reranked(), fastreid(), atol=1e-4)


def test_the_table_and_its_json(vreid, tmp_path):
    said = vreid("bench", *SMALL, "--json", tmp_path / "b.json").splitlines()
    assert said[0].startswith("queries 20, gallery 150, dimensions 8, cpu, ")
    assert said[1].split() == ["what", "ours,", "s", "FastReID,", "s", "ratio"]
    assert [line.split()[0] for line in said[3:]] == ["evaluation", "k-reciprocal"]
    for record in json.loads((tmp_path / "b.json").read_text())["seconds"]:
        assert len(record["ours"]) == len(record["fastreid"]) == 2
        assert min(record["ours"] + record["fastreid"]) > 0


def test_alone_and_of_features_without_labels(vreid, tmp_path):
    FeatureSet.create(torch.randn(40, 8), torch.full((40,), -1)).save(tmp_path / "f")
    files = ("--query", tmp_path / "f", "--gallery", tmp_path / "f")
    lines = vreid("bench", *files, "--alone", "--repeats", 1).splitlines()
    assert len(lines) == 4
    assert lines[3].split()[:2] == ["k-reciprocal", "20/6"]
    assert lines[3].split()[-2:] == ["-", "-"]


def test_bad_input(vreid, tmp_path):
    assert "--query and --gallery go together." in vreid("bench", "--query", "x", status=2)
    FeatureSet.create(torch.randn(4, 8), torch.arange(4)).save(tmp_path / "f")
    FeatureSet.create(torch.randn(4, 9), torch.arange(4)).save(tmp_path / "g")
    assert "different sizes" in vreid("bench", "--query", tmp_path / "f", "--gallery", tmp_path / "g", status=2)
    assert "--device is 'tpu'" in vreid("bench", *SMALL, "--device", "tpu", status=2)
    assert "there is no folder" in vreid("bench", *SMALL, "--json", tmp_path / "no" / "b.json", status=2)
