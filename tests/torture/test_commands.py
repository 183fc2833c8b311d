"""Arguments of commands and of train_net.py, and galleries, that cannot work."""

import json
from pathlib import Path

import numpy as np
import pytest

from vreid_common.cli import main as run_vreid

PROCESSES = {
    "none": (["--num-gpus", 0], ["--num-gpus", "0"]),
    "fewer than none": (["--num-gpus", -2], ["--num-gpus", "-2"]),
    "more than cores": (["--num-gpus", 4096, "SOLVER.IMS_PER_BATCH", 8192], ["--num-gpus", "4096"]),
    "a batch that does not divide": (["--num-gpus", 2, "SOLVER.IMS_PER_BATCH", 7], ["SOLVER.IMS_PER_BATCH", "7"]),
    "no machine": (["--num-machines", 0], ["--num-machines", "0"]),
    "machines without an address": (["--num-machines", 2], ["--dist-url"]),
    "a machine that is not one of them": (["--num-machines", 2, "--machine-rank", 5], ["--machine-rank", "5"]),
    "an address that is none": (["--num-machines", 2, "--dist-url", "foo://"], ["--dist-url", "foo://"]),
    "an address without a port": (["--num-machines", 2, "--dist-url", "tcp://127.0.0.1"], ["--dist-url"]),
}


@pytest.mark.parametrize(("arguments", "holds"), PROCESSES.values(), ids=PROCESSES.keys())
def test_processes(arguments: list, holds: list[str], config_file: Path, refused, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.multiprocessing.spawn", lambda *_args, **_kwargs: pytest.fail("processes were started"))
    refused("train", "--config-file", config_file, *arguments, holds=holds)


EMPTY = {
    "a result": (
        ["extract", "--config-file", "c.yml", "--weights", "w.pth", "--images", "crops", "--output", ""],
        ["--output"],
    ),
    "features": (["evaluate", "--query", "", "--gallery", "g"], ["--query"]),
    "a value after =": (["evaluate", "--query", "q", "--gallery="], ["--gallery"]),
    "a gallery": (["search", "", "a.jpg"], ["argument"]),
    "a configuration": (["train", "--config-file", ""], ["--config-file"]),
}


@pytest.mark.parametrize(("arguments", "holds"), EMPTY.values(), ids=EMPTY.keys())
def test_an_unset_shell_variable(arguments: list[str], holds: list[str], refused):
    refused(*arguments, holds=[*holds, "is empty"])


WRONG_KINDS = {
    "a video": ("clip.mp4", b"\x00\x00\x00\x18ftypmp42", ["clip.mp4"]),
    "an archive": ("crops.zip", b"PK\x03\x04", ["crops.zip"]),
    "a list": ("cars.csv", b"path,vehicle_id,split\n", ["cars.csv", "--csv"]),
    "an empty folder": ("crops", None, ["crops"]),
    "nothing": ("gone", None, ["gone"]),
}


@pytest.mark.parametrize(("name", "content", "holds"), WRONG_KINDS.values(), ids=WRONG_KINDS.keys())
def test_images_that_are_none(name: str, content: bytes | None, holds: list[str], trained: Path, tmp_path: Path, refused):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    elif name == "crops":
        (tmp_path / name).mkdir()
    model = ["--config-file", trained / "config.yaml", "--weights", trained / "model_final.pth"]
    refused("extract", *model, "--images", tmp_path / name, "--output", tmp_path / "f", holds=holds)


def test_images_of_kinds_that_are_not_read(trained: Path, tmp_path: Path, refused):
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "a.pdf").write_bytes(b"%PDF")
    model = ["--config-file", trained / "config.yaml", "--weights", trained / "model_final.pth"]
    refused("extract", *model, "--images", tmp_path / "crops", "--output", tmp_path / "f", holds=["crops", ".pdf"])


MODELS = {
    "no weights": (["--config-file", "config.yaml"], ["--weights"]),
    "no configuration": (["--weights", "model_final.pth"], ["--config-file"]),
    "weights that are not there": (["--config-file", "config.yaml", "--weights", "gone.pth"], ["gone.pth"]),
    "a configuration that is not there": (["--config-file", "gone.yaml", "--weights", "model_final.pth"], ["gone.yaml"]),
    "two configurations for one": (
        ["--config-file", "config.yaml", "--config-file", "config.yaml", "--weights", "model_final.pth"],
        ["--config-file", "2"],
    ),
    "a project that is none": (
        ["--config-file", "config.yaml", "--weights", "model_final.pth", "--project", "nowhere"],
        ["nowhere"],
    ),
    "an ONNX file that is not there": (["--onnx", "gone.onnx"], ["gone.onnx"]),
    "an ONNX file that is none": (["--onnx", "config.yaml"], ["config.yaml"]),
}


@pytest.mark.parametrize(("arguments", "holds"), MODELS.values(), ids=MODELS.keys())
def test_models(
    arguments: list[str],
    holds: list[str],
    trained: Path,
    vehicles: Path,
    tmp_path: Path,
    refused,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(trained)
    refused("extract", *arguments, "--csv", vehicles, "--output", tmp_path / "f", holds=holds)


@pytest.fixture
def gallery(tmp_path: Path, capsys: pytest.CaptureFixture) -> Path:
    """A saved gallery of features."""
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    np.savez(tmp_path / "g.npz", features=features, pids=[0, 1, 2] * 2, paths=[f"{n}.jpg" for n in range(6)])
    with pytest.raises(SystemExit):
        run_vreid(["gallery", "build", str(tmp_path / "g"), "--features", str(tmp_path / "g.npz")])
    return tmp_path / "g"


RECORDS = {
    "another format": lambda record: record | {"format": "gallery-9"},
    "a metric that is none": lambda record: record | {"metric": "manhattan"},
    "features in another folder": lambda record: record | {"features": "../../etc/passwd"},
    "features that are not there": lambda record: record | {"features": "features-000000000000"},
    "another number of images": lambda record: record | {"images": 7},
    "an index that is none": lambda record: record | {"index": 3},
    "no model": lambda record: {key: value for key, value in record.items() if key != "model"},
    "a list": lambda record: [record],
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS.keys())
def test_galleries(change, gallery: Path, refused):
    path = gallery / "gallery.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    refused("search", gallery, "--query", gallery.parent / "g.npz", holds=["g"])


def test_a_gallery_with_a_flipped_bit(gallery: Path, refused):
    path = next(gallery.glob("features-*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    refused("search", gallery, "--query", gallery.parent / "g.npz", holds=["features-"])


GALLERY = {
    "no gallery": (["search", "nowhere", "--query", "g.npz"], ["nowhere"]),
    "a query of other dimensions": (["search", "g", "--query", "narrow.npz"], ["dimensions"]),
    "no query": (["search", "g"], ["quer"]),
    "an image without a model": (["search", "g", "a.jpg"], ["--config-file"]),
    "images that are there already": (["gallery", "add", "g", "--features", "g.npz"], ["0.jpg"]),
    "features of other dimensions": (["gallery", "add", "g", "--features", "narrow.npz"], ["dimensions"]),
    "an image that is not there": (["gallery", "remove", "g", "gone.jpg"], ["gone.jpg"]),
    "all images": (["gallery", "remove", "g", *(f"{n}.jpg" for n in range(6))], ["image"]),
    "a folder that holds something": (["gallery", "build", "other", "--features", "g.npz"], ["other"]),
    "no images": (["gallery", "build", "new"], ["--config-file"]),
}


@pytest.mark.parametrize(("arguments", "holds"), GALLERY.values(), ids=GALLERY.keys())
def test_gallery_commands(arguments: list[str], holds: list[str], gallery: Path, refused, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(gallery.parent)
    np.savez("narrow.npz", features=np.ones((1, 3), np.float32), paths=["narrow.jpg"])
    Path("other").mkdir()
    Path("other/thesis.txt").write_text("mine")
    Path("a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    refused(*arguments, holds=holds)
    assert Path("other/thesis.txt").read_text() == "mine"
    assert not Path("new").exists()
