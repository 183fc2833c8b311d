"""``vreid rerank --validate``: every combination is tried, the best is named, and it is said what the numbers are for."""

import json

import numpy as np
import pytest

from vreid_common.evaluation import evaluate_ranking
from vreid_common.reranking.pipeline import build_pipeline

GRID = ["--grid", "k_reciprocal.k1=4,16", "k_reciprocal.lambda_value=0.1,0.6"]


def test_every_combination_and_the_best(vreid, files, sets, tmp_path):
    arguments = ["--steps", "database_augmentation,k_reciprocal", "--set", "k_reciprocal.k2=3", "--validate", *GRID]
    printed = vreid("rerank", *files, *arguments, "--json", tmp_path / "out.json")
    record = json.loads((tmp_path / "out.json").read_text())
    query, gallery = sets
    expected = {"no re-ranking": []}
    for k1 in (4, 16):
        for share in (0.1, 0.6):
            parameters = {"k1": k1, "k2": 3, "lambda_value": share}
            expected[f"k_reciprocal.k1={k1} k_reciprocal.lambda_value={share}"] = [
                "database_augmentation", {"k_reciprocal": parameters},
            ]  # fmt: skip
    means = {}
    for name, specs in expected.items():
        distance = build_pipeline(specs)(query, gallery).distance
        means[name] = evaluate_ranking(distance, query.pids, gallery.pids, query.camids, gallery.camids).mAP
    found = {result["name"]: result["metrics"]["mAP"] for result in record["results"]}
    assert found == pytest.approx(means)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    best = max(means, key=means.get)
    assert record["best"] == best != "no re-ranking"
    assert f"Highest mAP: --steps database_augmentation,k_reciprocal --set k_reciprocal.k2=3 {best}" in printed
    for text in (printed, record["purpose"]):
        assert "for choosing parameters, not for reporting" in text


def test_the_default_grid_leaves_out_what_is_set(vreid, files, tmp_path):
    fixed = ["--set", "k_reciprocal.k1=8", "k_reciprocal.k2=2"]
    vreid("rerank", *files, "--steps", "k_reciprocal", *fixed, "--validate", "--json", tmp_path / "out.json")
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    tried = [step for result in results for step in result["re-ranking"]]
    assert {(step["k1"], step["k2"]) for step in tried} == {(8, 2)}
    assert sorted(step["lambda_value"] for step in tried) == [0.1, 0.3, 0.5, 0.7]


def test_where_no_setting_helps(vreid, tmp_path):
    """One match a query, at its own place: re-ranking can only keep or lower a perfect ranking, and the plain one wins ties."""
    features = np.eye(20, dtype=np.float32)
    for name in ("q", "g"):
        np.savez(tmp_path / f"{name}.npz", features=features, pids=np.arange(20))
    pair = ["--query", tmp_path / "q.npz", "--gallery", tmp_path / "g.npz"]
    printed = vreid("rerank", *pair, "--steps", "k_reciprocal", "--validate", *GRID)
    assert "No setting has a higher mAP than no re-ranking on these images: leave re-ranking out." in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "diffusion"], "--validate has no grid of its own for diffusion: give --grid"),
        (["--steps", "diffusion", "--grid", "diffusion.k="], "--grid diffusion.k=: write STEP.NAME=VALUE,VALUE"),
        (
            ["--steps", "diffusion", "--grid", "k_reciprocal.k1=1,2"],
            "Parameters of k_reciprocal are given, but it is not a step",
        ),
        (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1=3", *GRID], "k_reciprocal.k1 stands in both --set and --grid"),
        (["--steps", "k_reciprocal", "--distance", "d.npy"], "--validate only chooses parameters"),
        (["--pipelines", "p.yml"], "--set and --validate go with --steps"),
    ],
)
def test_refused(vreid, files, arguments, message):
    assert message in vreid("rerank", *files, "--validate", *arguments, status=2)


def test_without_labels(vreid, unlabelled):
    assert "no identities to evaluate with" in vreid("rerank", *unlabelled, "--steps", "k_reciprocal", "--validate", status=2)
