"""Checkpoints that cannot be loaded, through --eval-only, training and extraction."""

import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch


class _Code:
    def __reduce__(self):
        return (print, ("code ran",))


def _damaged(path: Path, kind: str, checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    loaded = torch.load(checkpoint, weights_only=True)
    model = loaded["model"]
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "a text":
            path.write_text("weights")
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "a flipped bit":
            path.write_bytes(
                content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
            )
        case "code":
            torch.save({"model": _Code()}, path)
        case "a bare pickle of code":
            path.write_bytes(pickle.dumps(_Code()))
        case "a list":
            torch.save([1, 2, 3], path)
        case "no model":
            torch.save({"weights": model}, path)
        case "a model that is no dict":
            torch.save({"model": [1]}, path)
        case "an empty model":
            torch.save({"model": {}}, path)
        case "names of another network":
            torch.save({"model": {f"x.{name}": value for name, value in model.items()}}, path)
        case "other shapes":
            torch.save({"model": {name: value[:1] if value.ndim == 4 else value for name, value in model.items()}}, path)
        case "one tensor missing":
            torch.save({"model": {name: value for name, value in model.items() if name != "backbone.conv1.weight"}}, path)
        case "texts for tensors":
            torch.save({"model": dict.fromkeys(model, "weights")}, path)
        case "a zip of something else":
            with zipfile.ZipFile(path, "w") as file:
                file.writestr("readme.txt", "no checkpoint")
        case "a folder":
            path.mkdir()


KINDS = (
    "empty", "a text", "truncated", "a flipped bit", "code", "a bare pickle of code", "a list", "no model",
    "a model that is no dict", "an empty model", "names of another network", "other shapes", "one tensor missing",
    "texts for tensors", "a zip of something else", "a folder", "not there",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation(kind: str, trained: Path, config_file: Path, tmp_path: Path, refused):
    path = tmp_path / "weights.pth"
    _damaged(path, kind, trained / "model_final.pth")
    refused("train", "--config-file", config_file, "--eval-only", "MODEL.WEIGHTS", path, holds=["weights.pth"])


@pytest.mark.parametrize("kind", ["truncated", "a flipped bit", "code", "no model", "other shapes", "not there"])
def test_training_from_it(kind: str, trained: Path, config_file: Path, tmp_path: Path, refused):
    path = tmp_path / "weights.pth"
    _damaged(path, kind, trained / "model_final.pth")
    refused("train", "--config-file", config_file, "MODEL.WEIGHTS", path, holds=["weights.pth"])


@pytest.mark.parametrize("kind", ["truncated", "a flipped bit", "code", "not there"])
def test_resuming_from_it(kind: str, trained: Path, config_file: Path, refused):
    out = config_file.parent / "out"
    out.mkdir()
    _damaged(out / "model_final.pth", kind, trained / "model_final.pth")
    (out / "last_checkpoint").write_text("model_final.pth")
    refused("train", "--config-file", config_file, "--resume", "SOLVER.MAX_EPOCH", 2, holds=["model_final.pth"])


@pytest.mark.parametrize("kind", ["truncated", "a flipped bit", "code", "not there"])
def test_extraction(kind: str, trained: Path, vehicles: Path, config_file: Path, tmp_path: Path, refused):
    path = tmp_path / "weights.pth"
    _damaged(path, kind, trained / "model_final.pth")
    model = ["--config-file", config_file, "--weights", path]
    refused("extract", *model, "--csv", vehicles, "--output", tmp_path / "f", holds=["weights.pth"])


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (["SOLVER.BASE_LR", "0.1"], ["SOLVER.BASE_LR"]),
        (["SOLVER.OPT", "SGD"], ["SOLVER.OPT", "Adam", "SGD"]),
        (["SOLVER.WEIGHT_DECAY", "0.1"], ["SOLVER.WEIGHT_DECAY"]),
        (["SEED", "9"], ["SEED", "9"]),
        (["SOLVER.IMS_PER_BATCH", "4"], ["SOLVER.IMS_PER_BATCH", "4"]),
        (["INPUT.SIZE_TRAIN", "[64, 64]"], ["INPUT.SIZE_TRAIN"]),
        (["MODEL.LOSSES.NAME", "['CrossEntropyLoss']"], ["MODEL.LOSSES.NAME"]),
        (["MODEL.BACKBONE.DEPTH", "34x"], ["MODEL.BACKBONE.DEPTH"]),
        (["DATALOADER.SAMPLER_TRAIN", "TrainingSampler"], ["DATALOADER.SAMPLER_TRAIN"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_resuming_with_other_settings(options: list[str], holds: list[str], trained: Path, config_file: Path, refused):
    out = config_file.parent / "out"
    shutil.copytree(trained, out)
    before = (out / "config.yaml").read_bytes()
    refused("train", "--config-file", config_file, "--resume", "SOLVER.MAX_EPOCH", 2, *options, holds=holds)
    assert (out / "config.yaml").read_bytes() == before
