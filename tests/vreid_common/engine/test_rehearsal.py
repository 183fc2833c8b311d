"""The dry run: what would end a training at its end ends it before its first iteration, and nothing else changes."""

import csv
import importlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastreid.config import CfgNode

from vreid_common.engine import Trainer, main
from vreid_common.engine import rehearsal as module
from vreid_common.engine.rehearsal import rehearse
from vreid_common.errors import InputError


@pytest.fixture
def data(vehicles: Path, tmp_path: Path) -> Path:
    """The data set in a folder that the test may change; its vehicles.csv."""
    return shutil.copytree(vehicles.parent, tmp_path / "data") / "vehicles.csv"


def rewrite(file: Path, change: Callable[[dict], dict]) -> None:
    with file.open(newline="") as rows:
        changed = [change(row) for row in csv.DictReader(rows)]
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(changed[0]))
        writer.writeheader()
        writer.writerows(changed)


def last_gallery_image(file: Path) -> Path:
    with file.open(newline="") as rows:
        return file.parent / [row["path"] for row in csv.DictReader(rows) if row["split"] == "gallery"][-1]


def one_camera(file: Path) -> None:
    rewrite(file, lambda row: row | {"camera_id": "0"})


def no_vehicle_in_both(file: Path) -> None:
    rewrite(file, lambda row: row | {"vehicle_id": "100"} if row["split"] == "query" else row)


def truncated(file: Path) -> None:
    image = last_gallery_image(file)
    image.write_bytes(image.read_bytes()[:200])


def untouched(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("happens", "options", "said"),
    [
        (one_camera, (), r"None of the 4 queries has a match in the gallery \(image to image, same camera excluded\)"),
        (no_vehicle_in_both, ("TEST.PROTOCOL", "SameCameraKept"), "None of the 4 queries has a match"),
        (truncated, (), "Cannot read the image .*data"),
        (lambda file: last_gallery_image(file).unlink(), (), "(No such file|is not there|not found|missing)"),
        (untouched, ("TEST.PROTOCOL", "ImageToTrack"), "needs a track id for every gallery image"),
        (
            untouched,
            ("RERANK.PIPELINE", ["tracklet_distance"]),
            "tracklet_distance needs track ids, but no image of the gallery",
        ),
        (
            untouched,
            ("RERANK.COMPARE", [["both", "fuse_distances"]]),
            "fuse_distances needs the features orientation or camera",
        ),
        (untouched, ("RERANK.FURTHER", [["camera", "gone"]]), "gone_query"),
    ],
)
def test_what_would_fail_in_the_last_evaluation_is_refused(
    happens: Callable[[Path], object], options: tuple, said: str, data: Path, tiny: Callable[..., CfgNode]
):
    happens(data)
    cfg = tiny("DATASETS.CSV.FILE", str(data), *options)
    with pytest.raises(InputError, match=said):
        rehearse(Trainer, cfg)


def test_nothing_was_trained_says_the_program(data: Path, config_file: Path, capsys: pytest.CaptureFixture):
    one_camera(data)
    with pytest.raises(SystemExit) as stopped:
        main(argv=["--config-file", str(config_file), "DATASETS.CSV.FILE", str(data)])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "has a match in the gallery" in said
    assert said.endswith("This was met in the dry run before the first iteration: nothing was trained.\n")
    assert not list((config_file.parent / "out").glob("*.pth"))


def test_a_disk_without_room_for_a_checkpoint(tiny: Callable[..., CfgNode], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "free_bytes", lambda _: 5_000_000)
    with pytest.raises(InputError, match=r"has 5\.0 MB free, and a training needs \d+\.\d MB for its checkpoints at least"):
        rehearse(Trainer, tiny())


def test_a_disk_that_does_not_take_all_checkpoints(
    tiny: Callable[..., CfgNode], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(module, "free_bytes", lambda _: 400_000_000)
    rehearse(Trainer, tiny("SOLVER.MAX_EPOCH", 90, "SOLVER.STEPS", [40]))
    assert "400.0 MB free, and all checkpoints of the run take" in caplog.text


def test_a_training_is_the_same_to_the_bit(config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def run(name: str) -> Path:
        main(argv=["--config-file", str(config_file), "OUTPUT_DIR", str(tmp_path / name)])
        return tmp_path / name

    with_it = run("with")
    monkeypatch.setattr(importlib.import_module("vreid_common.engine.main"), "rehearse", lambda *_: None)
    without = run("without")
    one, other = (torch.load(folder / "model_final.pth", weights_only=True) for folder in (with_it, without))
    assert all(torch.equal(value, other["model"][key]) for key, value in one["model"].items())
    assert (
        json.loads((with_it / "results.json").read_text())["dataset"]
        == json.loads((without / "results.json").read_text())["dataset"]
    )


def test_generators_go_on_as_if_nothing_had_been(tiny: Callable[..., CfgNode]):
    cfg = tiny()
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global generator is what is looked at
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    rehearse(Trainer, cfg)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
