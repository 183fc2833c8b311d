"""docs/reranking.md and the README's part on re-ranking: the Python runs as it stands, the commands on small features, and the
pictures are what their script draws."""

import re
import runpy
import shlex
import socket
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from fastreid.engine import DefaultTrainer
from PIL import Image

from vreid_common.cli import main
from vreid_common.registry import RERANK_REGISTRY
from vreid_common.reranking import build_pipeline
from vreid_common.structures import FeatureSet

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reranking.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    vreid ((?!extract).*)$", PAGE, re.MULTILINE)  # extract needs a trained model


def draw(seed: int, size: int) -> FeatureSet:
    rng = np.random.default_rng(seed)
    pids, camids = np.arange(size) % 6, rng.integers(0, 4, size)
    features = np.random.default_rng(9).normal(size=(6, 8))[pids] + rng.normal(size=(size, 8))
    return FeatureSet.create(features, pids, camids, track_ids=pids * 10 + camids, paths=[str(i) for i in range(size)])


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The files that the page's commands read, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for side, images in (("query", draw(0, 12)), ("gallery", draw(1, 120))):
        labels = {name: getattr(images, name).numpy() for name in ("pids", "camids", "track_ids")}
        np.savez(f"{side[0]}.npz", features=images.features.numpy(), **labels)
        np.save(f"o{side[0]}.npy", np.roll(images.features.numpy(), 1, axis=0))
        for name in ("", "val_", "demo_"):
            images.save(f"{name}{side}")
    (tmp_path / "steps.yml").write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1], encoding="utf-8")
    return tmp_path


@pytest.fixture
def one_process(monkeypatch) -> Iterator[None]:
    """What torchrun would say to the only process there is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}.items():
        monkeypatch.setenv(name, str(value))
    yield
    torch.distributed.destroy_process_group()


def given() -> dict[str, object]:
    query, gallery = draw(0, 12), draw(1, 120)
    names = {"query": query, "gallery": gallery}
    features = {side: images.features for side, images in names.items()}
    orientation = {f"{side}_orientation": array.roll(1, dims=0)[:, :3] for side, array in features.items()}
    return (
        features
        | orientation
        | {f"{side}_{label}": getattr(images, label) for side, images in names.items() for label in ("pids", "camids")}
    )


def test_examples_run(run_examples, folder, one_process):
    names = run_examples("docs/reranking.md", **given())
    assert names["distance"].shape == (12, 120)
    assert names["first_five"].shape == (5, 120)
    assert 0 < names["metrics"].mAP <= 1


def test_the_examples_of_the_readme_run(run_examples):
    names = run_examples("README.md", **given())
    assert 0 < names["metrics"].mAP <= 1
    assert names["Trainer"].build_evaluator.__func__ is not DefaultTrainer.build_evaluator.__func__  # engine/test_third_party


def test_there_are_commands():
    assert {command.split()[0] for command in COMMANDS} == {"rerank"}
    assert len(COMMANDS) == 8


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, folder, capsys):
    arguments = shlex.split(command)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    assert "mAP" in printed.out
    for option in ("--json", "--distance", "--ranking"):
        if option in arguments:
            assert Path(arguments[arguments.index(option) + 1]).stat().st_size > 0


def test_every_step_and_parameter_is_described_with_its_default():
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    for name in RERANK_REGISTRY.names:
        (section,) = [section for section in sections if f"`{name}`" in section.splitlines()[0]]
        step = RERANK_REGISTRY.get(name)
        for parameter in fields(step):
            row = re.search(rf"^\| `{parameter.name}` \| `?([^|`]*)`? \|", section, re.MULTILINE)
            if row is None:  # said in a sentence
                assert f"`{parameter.default}` (default)" in section
                assert f"`{parameter.name}`" in section
            else:
                assert type(parameter.default)(row.group(1)) == parameter.default, (name, parameter.name)
        build_pipeline([name], "cosine")


def test_pictures_are_drawn(tmp_path, monkeypatch):
    script = ROOT / "docs" / "figures" / "reranking.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    drawn = sorted(file.name for file in tmp_path.iterdir())
    assert drawn == sorted(Path(path).name for path in re.findall(r"!\[.*?\]\((images/.*?)\)", PAGE))
    for name in drawn:
        kept = ROOT / "docs" / "images" / name
        assert kept.stat().st_size < 60_000
        with Image.open(kept) as expected, Image.open(tmp_path / name) as image:
            assert image.size == expected.size
            if matplotlib.__version__ == "3.11.2":  # another version may place text elsewhere
                difference = np.abs(np.asarray(image, np.int16) - np.asarray(expected, np.int16))
                assert np.mean(difference > 16) < 0.002, f"{name} is not what the code draws: run {script.name}"
