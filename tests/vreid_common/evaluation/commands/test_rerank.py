"""``vreid rerank``: tables and JSON of one pipeline and of several, distances and rankings on disk, refusals."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from vreid_common.evaluation import evaluate_ranking
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.reranking.pipeline import build_pipeline
from vreid_common.structures import FeatureRows


def re_ranked(sets, specs, metric="cosine"):
    return build_pipeline(specs, metric)(*sets).distance


def mean_ap(sets, distance):
    query, gallery = sets
    return evaluate_ranking(distance, query.pids, gallery.pids, query.camids, gallery.camids).mAP


STEPS = "alpha_query_expansion,k_reciprocal"
SET = ["--set", "k_reciprocal.k1=12", "alpha_query_expansion.alpha=1e0", "k_reciprocal.k2=3"]
SPECS = [{"alpha_query_expansion": {"alpha": 1.0}}, {"k_reciprocal": {"k1": 12, "k2": 3}}]


def test_steps_beside_no_re_ranking(vreid, files, sets, tmp_path):
    printed = vreid("rerank", *files, "--steps", STEPS, *SET, "--json", tmp_path / "out.json")
    plain, found = json.loads((tmp_path / "out.json").read_text())["results"]
    assert "re-ranked as each row says" in printed
    assert (
        "| re-ranked by alpha_query_expansion(k=20, alpha=1.0, rounds=1), k_reciprocal(k1=12, k2=3, lambda_value=0.3) |"
        in printed
    )
    assert plain["metrics"]["mAP"] == pytest.approx(mean_ap(sets, re_ranked(sets, [])))
    assert found["metrics"]["mAP"] == pytest.approx(mean_ap(sets, re_ranked(sets, SPECS)))
    assert found["metrics"]["mAP"] != plain["metrics"]["mAP"]
    assert plain["re-ranking"] == []
    assert found["re-ranking"][1] == {"step": "k_reciprocal", "k1": 12, "k2": 3, "lambda_value": 0.3}


def test_torchrun_shares_the_work_and_one_process_writes(vreid, files, tmp_path):
    arguments = ["rerank", *files, "--steps", "alpha_query_expansion,k_reciprocal", "--json"]
    alone = vreid(*arguments, tmp_path / "alone.json", "--distance", tmp_path / "alone.npy")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vreid_common"]
    command = [*torchrun, *arguments, tmp_path / "shared.json", "--distance", tmp_path / "shared.npy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout == alone
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("alone", "shared"))
    assert one == two
    np.testing.assert_array_equal(np.load(tmp_path / "alone.npy"), np.load(tmp_path / "shared.npy"))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_several_pipelines(vreid, files, sets, tmp_path, metric):
    pipelines = {
        "as they are": [],
        "DEx": [{"dual_embedding_expansion": {"k": 8}}],
        "DEx + DBA + k-reciprocal": ["dual_embedding_expansion", {"database_augmentation": {"k": 4}}, "k_reciprocal"],
        7: ["diffusion", "tracklet_distance"],
    }
    (tmp_path / "all.yml").write_text(yaml.safe_dump(pipelines, sort_keys=False))
    arguments = ["--pipelines", tmp_path / "all.yml", "--metric", metric, "--json", tmp_path / "out.json"]
    printed = vreid("rerank", *files, *arguments)
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [result["name"] for result in results] == [str(name) for name in pipelines]
    for result, specs in zip(results, pipelines.values(), strict=True):
        assert result["metrics"]["mAP"] == pytest.approx(mean_ap(sets, re_ranked(sets, specs, metric)))
        assert f"| {result['name']} " in printed


def test_without_labels_only_files_are_written(vreid, unlabelled, sets, tmp_path, monkeypatch):
    monkeypatch.setattr("vreid_common.evaluation.rank_list._BLOCK_BYTES", 120 * 4 * 5)
    outputs = ["--distance", tmp_path / "d.npy", "--ranking", tmp_path / "r.npy", "--ranking-size", "9"]
    outputs += ["--json", tmp_path / "r.json"]
    printed = vreid("rerank", *unlabelled, "--steps", STEPS, *SET, *outputs)
    assert "nothing was evaluated" in printed
    rows = re_ranked(sets, SPECS)
    distance, ranking = np.load(tmp_path / "d.npy"), np.load(tmp_path / "r.npy")
    assert distance.dtype == np.float32
    np.testing.assert_allclose(distance, rows.rows(0, 12), atol=1e-6)
    np.testing.assert_array_equal(ranking, rank_list(rows, 9))
    assert not list(tmp_path.glob(".*"))
    _, reranked = json.loads((tmp_path / "r.json").read_text())["results"]
    assert reranked["metrics"] is None
    assert [step["step"] for step in reranked["re-ranking"]] == STEPS.split(",")


def test_submission(vreid, unlabelled, sets, tmp_path):
    vreid("rerank", *unlabelled, "--steps", STEPS, *SET, "--submission", tmp_path / "track2.txt")
    written = np.loadtxt(tmp_path / "track2.txt", np.int64)
    np.testing.assert_array_equal(written - 1, rank_list(re_ranked(sets, SPECS), 100))


def test_a_ranking_of_a_small_gallery_is_all_of_it(vreid, files, tmp_path):
    vreid("rerank", *files, "--steps", "pull_tracklets", "--ranking", tmp_path / "r.npy", "--ranking-size", "1000")
    assert np.load(tmp_path / "r.npy").shape == (12, 120)


def test_nothing_half_written_is_left(vreid, files, tmp_path, monkeypatch):
    (tmp_path / "d.npy").write_text("before")

    def interrupted(distance):
        yield 0, distance.rows(0, 5)
        raise KeyboardInterrupt

    monkeypatch.setattr("vreid_common.evaluation.commands.outputs.blocks_of_rows", interrupted)
    vreid("rerank", *files, "--steps", "k_reciprocal", "--distance", tmp_path / "d.npy", status=130)
    assert (tmp_path / "d.npy").read_text() == "before"
    assert not list(tmp_path.glob(".*"))


def test_fusion_with_further_files(vreid, files, sets, tmp_path):
    rng = np.random.default_rng(5)
    camera = {name: rng.normal(size=(size, 3)).astype(np.float32) for name, size in (("cq", 12), ("cg", 120))}
    for name, features in camera.items():
        np.save(tmp_path / f"{name}.npy", features)
    further = ["--further", "camera", tmp_path / "cq.npy", tmp_path / "cg.npy"]
    arguments = ["--steps", "fuse_distances", "--set", "fuse_distances.lambda_camera=0.4", "--metric", "euclidean"]
    vreid("rerank", *files, *arguments, *further, "--distance", tmp_path / "d.npy", "--json", tmp_path / "out.json")
    plain = re_ranked(sets, [], "euclidean").rows(0, 12).numpy()
    squared = ((camera["cq"][:, None] - camera["cg"]) ** 2).sum(axis=2)
    np.testing.assert_allclose(np.load(tmp_path / "d.npy"), plain - 0.4 * squared, atol=1e-4)
    assert list(json.loads((tmp_path / "out.json").read_text())["further"]) == ["camera"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--steps", "k_reciprocal,database_augmentation"], "put database_augmentation first."),
            (["--steps", "kreciprocal"], "There is no re-ranking step 'kreciprocal': use one of alpha_query_expansion, "),
            (["--steps", "diffusion,"], "give names of steps, separated by commas."),
            (["--steps", "diffusion", "--set", "k_reciprocal.k1=3"], "Parameters of k_reciprocal are given, but it is not"),
            (["--steps", "k_reciprocal", "--set", "k1=3"], "--set k1=3: write STEP.NAME=VALUE, e.g. k_reciprocal.k1=20."),
            (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1"], "write STEP.NAME=VALUE"),
            (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1=many"], "k_reciprocal.k1 is 'many': use a whole number."),
            (["--steps", "k_reciprocal", "--set", "k_reciprocal.k1=3", "k_reciprocal.k1=4"], "k_reciprocal.k1 is given twice."),
            (["--steps", "k_reciprocal", "--metric", "dot"], "k_reciprocal does not go with the metric 'dot'"),
            (["--steps", "fuse_distances"], "fuse_distances needs the features orientation or camera"),
            (["--steps", "k_reciprocal", "--grid", "k_reciprocal.k1=3"], "--grid goes with --validate."),
            (["--pipelines", "p.yml", "--set", "k_reciprocal.k1=3"], "--set and --validate go with --steps"),
            (["--pipelines", "p.yml", "--distance", "d.npy"], "--distance is that of one pipeline"),
            (["--pipelines", "no.yml"], "no.yml cannot be read"),
            ([], "one of the arguments --steps --pipelines is required"),
        ],
    )
    def test_arguments(self, vreid, files, tmp_path, monkeypatch, arguments, message):
        monkeypatch.chdir(tmp_path)
        assert message in vreid("rerank", *files, *arguments, status=2)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: [", "p.yml cannot be read: while parsing"),
            ("[k_reciprocal]", "p.yml: write names, each with a list of steps"),
            ("a: k_reciprocal", "p.yml: write names, each with a list of steps"),
            ("", "p.yml: write names, each with a list of steps"),
            ("a: [{k_reciprocal: {k: 1}}]", "p.yml, a: k_reciprocal has no parameter 'k'"),
            ("a: []\nb: [pull_tracklets, diffusion]", "p.yml, b: diffusion compares the features anew"),
        ],
    )
    def test_pipeline_files(self, vreid, files, tmp_path, text, message):
        (tmp_path / "p.yml").write_text(text)
        printed = vreid("rerank", *files, "--pipelines", tmp_path / "p.yml", status=2)
        assert message in printed
        assert printed.count("\n") == 1

    def test_nothing_to_do(self, vreid, unlabelled):
        printed = vreid("rerank", *unlabelled, "--steps", "k_reciprocal", status=2)
        assert "give --labels, or ask for --distance, --ranking or --submission." in printed

    def test_further_features_of_other_images(self, vreid, files, tmp_path):
        np.save(tmp_path / "c.npy", np.ones((12, 3), np.float32))
        further = ["--further", "camera", tmp_path / "c.npy", tmp_path / "c.npy"]
        printed = vreid("rerank", *files, "--steps", "fuse_distances", *further, status=2)
        assert "c.npy has 12 images instead of 120: camera needs the same images." in printed

    def test_nowhere_to_write(self, vreid, files, tmp_path):
        for option in ("--json", "--distance", "--ranking"):
            assert "there is no folder" in vreid(
                "rerank", *files, "--steps", "diffusion", option, tmp_path / "no" / "x", status=2
            )


def test_features_are_compared_as_vreid_evaluate_does(vreid, files, sets, tmp_path):
    vreid("rerank", *files, "--steps", "tracklet_distance", "--metric", "dot", "--json", tmp_path / "a.json")
    vreid("evaluate", *files, "--metric", "dot", "--json", tmp_path / "b.json")
    first, second = (json.loads((tmp_path / f"{name}.json").read_text())["results"][0] for name in "ab")
    assert first["metrics"] == second["metrics"]
    rows = FeatureRows(sets[0].features, sets[1].features, "dot")
    assert first["metrics"]["mAP"] == pytest.approx(mean_ap(sets, rows))


def test_no_input_is_overwritten_and_no_result_lost(vreid, files, tmp_path):
    query = files[1]
    before = Path(query).read_bytes()
    said = vreid("rerank", *files, "--steps", "k_reciprocal", "--json", query, status=2)
    assert f"{query} cannot be written: it is an input of this command." in said
    said = vreid("evaluate", *files, "--json", query, status=2)
    assert "it is an input of this command" in said
    assert Path(query).read_bytes() == before
    same = tmp_path / "same.npy"
    said = vreid("rerank", *files, "--steps", "k_reciprocal", "--ranking", same, "--distance", same, status=2)
    assert "two different results" in said
    assert not same.exists()


def test_names_that_nothing_takes_or_that_come_twice_are_refused(vreid, files, tmp_path):
    further = ["--further", "camara", files[1], files[3]]
    said = vreid("rerank", *files, *further, "--steps", "k_reciprocal", status=2)
    assert "--further camara: no step takes features of that name." in said
    further = ["--further", "camera", files[1], files[3]] * 2
    assert "--further camera is given twice." in vreid("rerank", *files, *further, "--steps", "fuse_distances", status=2)
    (tmp_path / "twice.yml").write_text("a: [k_reciprocal]\na: [diffusion]\n")
    assert "the name 'a' is given twice" in vreid("rerank", *files, "--pipelines", tmp_path / "twice.yml", status=2)
    assert "--steps is empty" in vreid("rerank", *files, "--steps", "", status=2)


def test_a_device_that_is_none(vreid, files):
    assert "--device is 'meta': use cpu, cuda, or cuda:N." in vreid("evaluate", *files, "--device", "meta", status=2)
