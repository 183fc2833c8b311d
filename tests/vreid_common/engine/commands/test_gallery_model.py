"""The model that a gallery names: found again by digest and name, and never a way to have code run or devices read."""

import hashlib
import json
import os
import sys

import pytest
import torch

from vreid_common.gallery import load_gallery
from vreid_common.structures import FeatureSet


@pytest.fixture
def gallery(vreid, model, vehicles, tmp_path):
    vreid("gallery", "build", tmp_path / "g", "--csv", vehicles, *model)
    return tmp_path / "g"


@pytest.fixture
def change(gallery):
    """A function that has a stranger change what the gallery says of its model, and make the digest of that anew."""

    def change(**changes) -> None:
        record = json.loads((gallery / "gallery.json").read_text())
        record["model"] |= changes
        del record["sha256"]
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        (gallery / "gallery.json").write_text(json.dumps({**record, "sha256": digest}))

    return change


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A project's folder inside of the gallery, whose code must not run."""
    folder = tmp_path / "g" / "trap"
    (folder / "trappackage").mkdir(parents=True)
    (folder / "train_net.py").write_text("raise AssertionError('run')")
    (folder / "trappackage" / "__init__.py").write_text("raise AssertionError('run')")
    (folder / "trappackage" / "config.py").write_text("raise AssertionError('run')")
    monkeypatch.chdir(folder)
    return folder


def files(**paths) -> dict:
    named = {name: [{"path": str(path), "sha256": "0" * 64}] for name, path in paths.items()}
    return {"files": {"config_file": [], "weights": [], "onnx": [], **named}}


def test_what_it_keeps(gallery, config_file, weights):
    model = json.loads((gallery / "gallery.json").read_text())["model"]
    assert model["projects"] == [""]
    assert [file["path"] for kind in ("config_file", "weights") for file in model["files"][kind]] == [
        str(config_file), str(weights),
    ]  # fmt: skip
    assert model["files"]["weights"][0]["sha256"] == model["origins"][0]["checkpoint"]


def test_nothing_that_it_names_is_imported(gallery, vreid, change, trap, vehicles, config_file):
    search = ("search", gallery, vehicles.parent / "7_0_0.png")
    plain = vreid(*search)
    (trap / "one.yml").write_text(config_file.read_text())
    for name in (str(trap), "../trap", ".", "trappackage"):
        change(projects=[name])
        assert f"is of the project {name}, which is not installed: name its folder" in vreid(*search, status=2)
    change(projects=[""])
    assert vreid(*search) == plain
    config = json.loads((gallery / "gallery.json").read_text())["model"]["files"]["config_file"][0]
    change(**files(config_file=trap / "one.yml"))
    assert "is no longer the file that the gallery's features were made with" in vreid(*search, status=2)
    weights = json.loads((gallery / "gallery.json").read_text())["model"]["origins"][0]["checkpoint"]
    known = files(config_file=trap / "one.yml", weights=trap.parents[1] / "model.pth")["files"]
    known["config_file"][0]["sha256"], known["weights"][0]["sha256"] = config["sha256"], weights
    change(files=known)  # as the stranger knows the digests of its own files, this is the gallery's model
    assert vreid(*search) == plain
    change(opts=["PROJECT", str(trap)])
    assert "which is not installed" in vreid(*search, status=2)
    assert "trappackage" not in sys.modules


def test_a_project_that_is_named(gallery, vreid, change, trap, vehicles):
    (trap / "trappackage" / "__init__.py").write_text("")
    (trap / "trappackage" / "config.py").write_text("")
    change(projects=["trappackage"])
    search = ("search", gallery, vehicles.parent / "7_0_0.png")
    assert "1 " in vreid(*search, "--project", trap)
    sys.modules.pop("trappackage")


def test_an_installed_project(vreid, vehicles, tmp_path, config_file, weights):
    """Its name comes back from the gallery, although the configuration says nothing of it."""
    model = ("--config-file", config_file, "--weights", weights, "--project", "dsam")
    vreid("gallery", "build", tmp_path / "g", "--csv", vehicles, *model)
    record = json.loads((tmp_path / "g" / "gallery.json").read_text())
    assert record["model"]["projects"] == ["dsam"]
    assert "vehicle" in vreid("search", tmp_path / "g", vehicles.parent / "7_0_0.png")


@pytest.mark.parametrize("device", ["/dev/zero", "fifo"])
def test_devices_and_pipes_are_not_read(gallery, vreid, change, vehicles, tmp_path, device):
    if device == "fifo":
        os.mkfifo(device := tmp_path / "fifo")
    search = ("search", gallery, vehicles.parent / "7_0_0.png")
    for kind in ("config_file", "weights"):
        change(**files(**{kind: device}))
        assert f"{device} does not exist" in vreid(*search, status=2)


def test_an_exact_search_reads_no_index(vreid, tmp_path, monkeypatch):
    features = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    FeatureSet.create(features, torch.arange(300) % 7).save(tmp_path / "f")
    vreid("gallery", "build", tmp_path / "g", "--features", tmp_path / "f", "--index", "hnsw")

    def trap(*_):
        raise AssertionError("read")

    monkeypatch.setattr("faiss.read_index", trap)
    search = ("search", tmp_path / "g", "--query", tmp_path / "f", "--top", 1)
    assert "0.0000" in vreid(*search, "--exact")
    with pytest.raises(AssertionError, match="read"):
        load_gallery(tmp_path / "g")


def test_a_lock_that_is_a_link_leaves_its_target_alone(gallery, vreid, tmp_path):
    (tmp_path / "precious").write_text("precious")
    (gallery / ".lock").unlink(missing_ok=True)
    (gallery / ".lock").symlink_to(tmp_path / "precious")
    path = load_gallery(gallery).images.paths[0]
    assert ".lock is a link: remove it" in vreid("gallery", "remove", gallery, path, status=2)
    assert (tmp_path / "precious").read_text() == "precious"


def test_what_became_of_its_files(gallery, vreid, vehicles, config_file, weights):
    search = ("search", gallery, vehicles.parent / "7_0_0.png")
    plain = vreid(*search)
    config_file.write_text("# a comment\n" + config_file.read_text())
    assert vreid(*search) == plain
    config_file.write_text(config_file.read_text() + "SEED: 3\n")
    said = vreid(*search, status=2)
    assert said.startswith(f"error: {config_file} is no longer the file that the gallery's features were made with: name ")
    assert vreid(*search, "--config-file", config_file, "--weights", weights) == plain  # the network is the same


@pytest.mark.parametrize(
    "changes",
    [
        {"projects": []},
        {"projects": [7]},
        {"files": None},
        {"files": {"config_file": ["a"], "weights": [], "onnx": []}},
        {"settings": {}},
        {"settings": {"scales": [-1], "flip": False, "combine": "sum", "amp": None}},
        {"settings": {"scales": [1], "flip": False, "combine": "os.system", "amp": None}},
        {"opts": 5},
        {"arguments": {}, "origins": 3},
    ],
)
def test_a_record_that_is_none(gallery, vreid, change, vehicles, changes):
    change(**changes)
    for command in (("search", gallery, vehicles.parent / "7_0_0.png"), ("gallery", "info", gallery)):
        assert "gallery.json does not name the model as `vreid gallery build` writes it" in vreid(*command, status=2)
