"""What goes wrong while a training runs: one sentence, the last checkpoint named and whole, and a run that goes on from it."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vreid_common import files
from vreid_common.engine import main
from vreid_common.lock import locked

EPOCHS = ("SOLVER.MAX_EPOCH", 3)


def train(config_file: Path, *arguments: object) -> None:
    main(argv=["--config-file", str(config_file), *map(str, arguments)])


def failed(capsys: pytest.CaptureFixture, config_file: Path, *arguments: object, status: int = 1) -> str:
    with pytest.raises(SystemExit) as stopped:
        train(config_file, *arguments)
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == status, said
    assert said.startswith("error: ")
    assert "\n" not in said
    return said


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_from_the(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the ``number``th checkpoint on there is room for half of it, which torch tells in its own way."""
    save, calls = torch.save, []

    def half(state: object, path: Path) -> None:
        calls.append(path)
        if len(calls) < number:
            return save(state, path)
        path.write_bytes(b"half")
        monkeypatch.setattr(os, "fsync", no_room)
        raise RuntimeError("[enforce fail at inline_container.cc:862] . PytorchStreamWriter failed writing file data/2")

    monkeypatch.setattr(torch, "save", half)
    monkeypatch.setattr(files, "free_bytes", lambda _: 12_345)


def leavings(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".") and path.name.endswith(".tmp")]


def test_a_disk_that_fills_up_before_anything_was_saved(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    full_from_the(1, monkeypatch)
    said = failed(capsys, config_file, *EPOCHS)
    out = config_file.parent / "out"
    assert f"{out / 'model_0000.pth'} cannot be written: no room is left on the disk (77.9 kB are free, " in said
    assert said.endswith("MB are needed). No checkpoint had been written.")
    assert not leavings(out)


def test_a_disk_that_fills_up_later_costs_what_was_not_saved_yet(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        full_from_the(3, patch)
        said = failed(capsys, config_file, *EPOCHS)
    assert f"The last checkpoint is {out / 'model_0001.pth'}: the same command with --resume goes on from it." in said
    assert not leavings(out)
    train(config_file, "--resume", *EPOCHS)
    assert "Resuming at epoch 3" in (out / "log.txt").read_text()


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (lambda out: None, "is read-only"),
        (shutil.rmtree, "no such file or directory"),
    ],
    ids=["read-only", "gone"],
)
def test_an_output_folder_that_can_no_longer_be_written(
    happens: Callable[[Path], object],
    said: str,
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    out = config_file.parent / "out"
    save = torch.save

    def last(state: object, path: Path) -> None:
        save(state, path)
        happens(out)
        if out.exists():
            raise OSError(errno.EROFS, "is read-only", str(path))

    monkeypatch.setattr(torch, "save", last)
    assert f"model_0000.pth cannot be written: {said}." in failed(capsys, config_file, *EPOCHS)


def test_images_that_vanish_name_the_image_and_the_checkpoint(
    config_file: Path, vehicles: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    data = shutil.copytree(vehicles.parent, tmp_path / "data")
    save = torch.save

    def then_away(state: object, path: Path) -> None:
        save(state, path)
        for image in data.glob("*.png"):
            image.unlink()

    monkeypatch.setattr(torch, "save", then_away)
    said = failed(capsys, config_file, *EPOCHS, "DATASETS.CSV.FILE", data / "vehicles.csv", status=2)
    assert f"Cannot read the image {data}" in said
    assert f"The last checkpoint is {tmp_path / 'out' / 'model_0000.pth'}" in said


def test_a_loss_that_is_no_number_is_one_sentence(config_file: Path, capsys: pytest.CaptureFixture):
    said = failed(capsys, config_file, "SOLVER.BASE_LR", 1e30, "SOLVER.WARMUP_ITERS", 0)
    assert "became nan between iterations 0 and 4: lower SOLVER.BASE_LR" in said
    assert said.endswith("No checkpoint had been written.")


def test_what_nobody_expected_is_in_a_file_of_the_run(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def broken(*_: object) -> None:
        raise KeyError("anchor")

    monkeypatch.setattr("vreid_common.engine.step.TrainStep.update", broken)
    path = config_file.parent / "out" / "traceback.txt"
    said = failed(capsys, config_file)
    assert "error: Unexpected KeyError: 'anchor'. This was met in the dry run before the first iteration" in said
    assert f"The traceback is in {path}, and --debug prints it." in said
    assert "in update" not in said
    assert "KeyError: 'anchor'" in path.read_text()
    assert "Unexpected KeyError" in (config_file.parent / "out" / "log.txt").read_text()


def test_an_output_folder_belongs_to_one_run(config_file: Path, capsys: pytest.CaptureFixture):
    out = config_file.parent / "out"
    out.mkdir()
    with locked(out):
        said = failed(capsys, config_file, status=2)
    assert f"error: OUTPUT_DIR {out} belongs to a run that goes on (process {os.getpid()} on " in said
    assert list(out.iterdir()) == []


def test_an_output_folder_of_no_name(config_file: Path, capsys: pytest.CaptureFixture):
    assert "OUTPUT_DIR" in failed(capsys, config_file, "OUTPUT_DIR", "", status=2)
