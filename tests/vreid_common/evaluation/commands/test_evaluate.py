"""``vreid evaluate``: metrics of every kind of file, labels from a CSV, JSON, and refusals of one sentence."""

import csv
import importlib.metadata
import json

import numpy as np
import pytest

from vreid_common.evaluation import OneGalleryImage, apply_protocol, evaluate_ranking
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import FeatureRows, FeatureSet

OPTIONS = {"same_camera": "exclude", "max_rank": 50}


def measured(sets, metric="cosine", **options):
    query, gallery = sets
    rows = FeatureRows(query.features, gallery.features, metric)
    return evaluate_ranking(rows, query.pids, gallery.pids, query.camids, gallery.camids, **OPTIONS | options)


def write_csv(path, sets, named=False):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "vehicle_id", "camera_id", "split", "track_id"])
        for split, images in zip(("query", "gallery"), sets, strict=True):
            for i, name in enumerate(images.paths):
                vehicle = f"car {images.pids[i]}" if named else int(images.pids[i])
                writer.writerow([name, vehicle, int(images.camids[i]), split, int(images.track_ids[i])])
        writer.writerow(["other.jpg", "0", "0", "train", "0"])
    return path


def test_prints_the_protocol_and_the_metrics_in_percent(vreid, files, sets):
    printed = vreid("evaluate", *files)
    expected = measured(sets)
    assert "image to image, same camera excluded" in printed
    assert "Metric cosine, no re-ranking. 12 queries, 0 of them left out" in printed
    assert f"| {100 * expected.mAP:.2f} | {100 * expected.cmc[0]:.2f} |" in " ".join(printed.split())


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize(("arguments", "options"), [
    ((), {}),
    (("--protocol", "SameCameraKept"), {"same_camera": "keep"}),
    (("--top-k", "10"), {"top_k": 10}),
    (("--top-k", "10", "--normalizer", "min"), {"top_k": 10, "normalizer": "min"}),
    (("--top-k", "10", "--normalizer", "hits", "--max-rank", "7"), {"top_k": 10, "normalizer": "hits", "max_rank": 7}),
])  # fmt: skip
def test_json_has_fractions_and_all_that_they_depend_on(vreid, files, sets, tmp_path, metric, arguments, options):
    vreid("evaluate", *files, "--metric", metric, *arguments, "--json", tmp_path / "out.json")
    record = json.loads((tmp_path / "out.json").read_text())
    expected = measured(sets, metric, **options)
    (result,) = record["results"]
    top_k = options.get("top_k")
    assert result["metrics"][f"mAP@{top_k}" if top_k else "mAP"] == pytest.approx(expected.mAP)
    assert result["metrics"]["mINP"] == pytest.approx(expected.mINP)
    assert result["cmc"] == pytest.approx(expected.cmc.tolist())
    assert (result["num_queries"], result["num_valid_queries"], result["num_gallery"]) == (12, 12, 120)
    assert result["re-ranking"] == []
    assert record["images"] == {"query": 12, "gallery": 120}
    protocol = record["protocol"]
    assert (protocol["metric"], protocol["top_k"], protocol["max_rank"]) == (metric, top_k, options.get("max_rank", 50))
    assert protocol["normalizer"] == options.get("normalizer", "all")
    assert protocol["name"] == ("SameCameraKept" if "same_camera" in options else "SameCameraExcluded")
    assert record["versions"]["torch"] == importlib.metadata.version("torch")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("named", [False, True])
def test_labels_of_a_csv(vreid, unlabelled, sets, tmp_path, named):
    labels = write_csv(tmp_path / "labels.csv", sets, named)
    vreid("evaluate", *unlabelled, "--labels", labels, "--protocol", "ImageToTrack", "--json", tmp_path / "csv.json")
    for images, name in zip(sets, ("query", "gallery"), strict=True):
        images.save(tmp_path / name)
    pair = ["--query", tmp_path / "query.safetensors", "--gallery", tmp_path / "gallery.json"]
    vreid("evaluate", *pair, "--protocol", "ImageToTrack", "--json", tmp_path / "set.json")
    found, expected = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("csv", "set"))
    assert found["results"] == expected["results"]


class TestRefusals:
    def test_no_labels(self, vreid, unlabelled):
        assert vreid("evaluate", *unlabelled, status=2) == (
            "error: The images have no identities to evaluate with: give --labels FILE.csv, or a .npz with pids.\n"
        )

    def test_a_query_without_identity(self, vreid, sets, tmp_path):
        query, gallery = sets
        query.pids[3] = -1
        for name, images in (("q", query), ("g", gallery)):
            images.save(tmp_path / name)
        printed = vreid("evaluate", "--query", tmp_path / "q", "--gallery", tmp_path / "g")
        assert "(1 are of unknown vehicle)" in printed

    def test_features_whose_distances_overflow(self, vreid, sets, tmp_path):
        for name, images in zip("qg", sets, strict=True):
            FeatureSet.create(images.features * 1e30, images.pids).save(tmp_path / name)
        command = ["--query", tmp_path / "q", "--gallery", tmp_path / "g", "--metric", "euclidean"]
        assert vreid("evaluate", *command, status=2).startswith("error: The features are too large to be compared: ")

    def test_another_number_of_labels(self, vreid, unlabelled, sets, tmp_path):
        query, gallery = sets
        labels = write_csv(tmp_path / "labels.csv", (query, gallery.select(range(100))))
        message = vreid("evaluate", *unlabelled, "--labels", labels, status=2)
        assert "labels.csv lists 100 images of split gallery, but" in message
        assert message.endswith("gallery.npy has 120.\n")

    @pytest.mark.parametrize(
        ("write", "message"),
        [
            (lambda path: None, "gallery.npz. Features are read from .safetensors"),
            (lambda path: path.write_bytes(b"PK\3\4"), "gallery.npz cannot be read"),
            (lambda path: np.savez(path, features=np.ones((3, 5)), pids=np.arange(3)), "have 8 dimensions, those in"),
            (lambda path: np.savez(path, features=np.ones((0, 8)), pids=np.arange(0)), "gallery.npz has no images."),
            (lambda path: np.savez(path, features=np.ones((3, 8)), pids=[9, 9, 9]), "None of the 12 queries has a match"),
            (lambda path: np.savez(path, features=np.ones((1, 8)), pids=np.array([{}])), "without pickled objects"),
        ],
    )
    def test_a_gallery_that_does_not_fit(self, vreid, files, tmp_path, write, message):
        (tmp_path / "gallery.npz").unlink()
        write(tmp_path / "gallery.npz")
        printed = vreid("evaluate", *files, "--json", tmp_path / "out.json", status=2)
        assert printed.startswith("error: ")
        assert printed.count("\n") == 1
        assert message in printed
        assert not (tmp_path / "out.json").exists()

    def test_halves_of_two_feature_sets(self, vreid, sets, tmp_path):
        for name in ("a", "b"):
            sets[0].save(tmp_path / name)
        (tmp_path / "b.json").replace(tmp_path / "a.json")
        assert "were not written together" in vreid(
            "evaluate", "--query", tmp_path / "a", "--gallery", tmp_path / "a", status=2
        )

    def test_no_labels_file(self, vreid, files, tmp_path):
        assert f"There is no file {tmp_path / 'none.csv'}." in vreid(
            "evaluate", *files, "--labels", tmp_path / "none.csv", status=2
        )

    def test_nowhere_to_write(self, vreid, files, tmp_path):
        printed = vreid("evaluate", *files, "--json", tmp_path / "no" / "out.json", status=2)
        assert "out.json cannot be written: there is no folder" in printed
        assert "cannot be written: it is a folder." in vreid("evaluate", *files, "--json", tmp_path, status=2)

    def test_a_device_that_is_not_there(self, vreid, files):
        assert "--device is 'vulkan9': use cpu, cuda, or cuda:N." in vreid("evaluate", *files, "--device", "vulkan9", status=2)
        assert "--device cuda:99 cannot be used" in vreid("evaluate", *files, "--device", "cuda:99", status=2)

    def test_an_unknown_protocol(self, vreid, files):
        assert "invalid choice: 'Nothing'" in vreid("evaluate", *files, "--protocol", "Nothing", status=2)


def test_draws(vreid, files, sets, tmp_path):
    options = ["--protocol", "OneGalleryImage", "--draws", "4", "--draw-seed", "7"]
    printed = vreid("evaluate", *files, *options, "--json", tmp_path / "out.json")
    found = apply_protocol(OneGalleryImage(num_draws=4, seed=7), Pipeline(), *sets)
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["results"][0]["metrics"] == pytest.approx(found.metrics)
    assert record["results"][0]["num_draws"] == 4
    assert record["protocol"]["draw_seed"] == 7
    assert "Means of 4 draws (seed 7)" in printed
    assert "Rank-1 (std)" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocol", "OneQueryImage", "--draw-seed", "-1"], "--draw-seed is -1: use 0 or more."),
        (["--protocol", "OneQueryImage", "--draws", "0"], "must be at least 1, got 0"),
        (["--protocol", "AICitySubmission"], "invalid choice: 'AICitySubmission'"),
    ],
)
def test_protocols_refused(vreid, files, arguments, message):
    assert message in vreid("evaluate", *files, *arguments, status=2)
