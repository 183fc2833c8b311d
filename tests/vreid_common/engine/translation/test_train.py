"""``vreid translate train``: what it leaves, how it resumes, and its sentences."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from vreid_common.synthetic.translation import PairLoader


def state_of(output: Path) -> dict:
    return torch.load(output / "translator.pth", weights_only=True)


def assert_same(first: object, second: object, path: str = "") -> None:
    """Equal to the last bit, all the way down."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_same(first[key], second[key], f"{path}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), path
        for number, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{path}.{number}")
    else:
        assert first == second, path


def iterations_in(output: Path) -> list[int]:
    return [json.loads(line)["iteration"] for line in (output / "metrics.json").read_text().splitlines()]


@pytest.fixture
def unbroken(train, tmp_path: Path) -> Path:
    assert train(tmp_path / "unbroken", 12, "--checkpoint-period", 4) == 0
    return tmp_path / "unbroken"


def test_what_a_training_leaves(unbroken):
    state = state_of(unbroken)
    assert state["iteration"] == 12
    assert state["settings"]["images"] == [7, 5]
    assert state["settings"]["weights"] == {"lambda0": 10.0, "lambda1": 0.1, "lambda2": 100.0, "lambda3": 0.1, "lambda4": 100.0}
    assert iterations_in(unbroken) == [3, 7, 11]
    assert sorted(path.name for path in (unbroken / "samples").iterdir()) == ["0000004.png", "0000008.png", "0000012.png"]
    assert Image.open(unbroken / "samples" / "0000012.png").size == (84 + 7 * 99, 3 * 99 + 3)
    assert "Training from iteration 1 to 12" in (unbroken / "log.txt").read_text()


def test_json_has_the_last_losses(train, tmp_path):
    """Also of a training that was finished before."""
    for arguments in ((), ("--resume",)):
        assert train(tmp_path / "out", 3, "--json", tmp_path / "about.json", *arguments) == 0
        about = json.loads((tmp_path / "about.json").read_text())
        assert about["images"] == {"source": 7, "target": 5}
        assert about["last"] == json.loads((tmp_path / "out" / "metrics.json").read_text().splitlines()[-1])
        assert about["last"]["iteration"] == 2
        (tmp_path / "about.json").unlink()


def test_a_resumed_training_ends_like_an_unbroken_one(train, unbroken, tmp_path, capfd):
    output = tmp_path / "resumed"
    assert train(output, 5, "--resume") == 0  # nothing there yet: starts
    assert train(output, 9, "--resume", "--workers", 2) == 0
    assert train(output, 12, "--resume") == 0
    assert_same(state_of(output), state_of(unbroken))
    assert iterations_in(output) == [4, 8, 11]
    capfd.readouterr()
    assert train(output, 12, "--resume") == 0
    assert "is finished: 12 iterations" in capfd.readouterr().out
    assert_same(state_of(output), state_of(unbroken))


def test_without_resume_it_starts_anew(train, unbroken, tmp_path):
    output = tmp_path / "again"
    assert train(output, 3) == 0
    assert train(output, 12, "--checkpoint-period", 4) == 0
    assert_same(state_of(output), state_of(unbroken))
    assert iterations_in(output) == [3, 7, 11]


def test_the_seed_decides(train, unbroken, tmp_path):
    assert train(tmp_path / "other", 12, "--seed", 1) == 0
    ours, other = state_of(unbroken)["model"], state_of(tmp_path / "other")["model"]
    assert not torch.equal(ours["shared_encoder.0.branch.0.weight"], other["shared_encoder.0.branch.0.weight"])


def test_ctrl_c_saves_and_resumes(train, unbroken, tmp_path, monkeypatch, capfd):
    """The signal comes while the seventh batch is waited for."""
    output, batches = tmp_path / "stopped", PairLoader.batches

    def interrupted(self: PairLoader, first: int = 0):
        for number, batch in enumerate(batches(self, first)):
            if number == 6:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch

    monkeypatch.setattr(PairLoader, "batches", interrupted)
    assert train(output, 12) == 130
    assert "Stopped after 7 of 12 iterations; saved in" in capfd.readouterr().out
    assert state_of(output)["iteration"] == 7
    monkeypatch.undo()
    assert train(output, 12, "--resume") == 0
    assert_same(state_of(output), state_of(unbroken))


def test_a_killed_training_resumes(train, tmp_path, domains):
    """SIGKILL at any moment leaves a whole checkpoint, and what was logged beyond it is logged again."""
    output = tmp_path / "killed"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from conftest import TINY; from vreid_common import cli; "
        "cli.main(['translate', 'train', *sys.argv[2:], *TINY, '--checkpoint-period', '2'])"
    )
    arguments = ["--source", domains[0], "--target", domains[1], "--output", output, "--iterations", 100_000]
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, [Path(__file__).parent, *arguments])])
    try:
        deadline = time.monotonic() + 120
        while not (output / "samples" / "0000004.png").is_file():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = state_of(output)["iteration"]
    assert done >= 4
    assert done % 2 == 0
    assert train(output, done + 3, "--resume") == 0
    assert train(tmp_path / "unbroken", done + 3) == 0
    assert_same(state_of(output), state_of(tmp_path / "unbroken"))
    assert sorted(set(iterations_in(output))) == iterations_in(output)
    assert not list(output.glob(".*"))


class TestBadInput:
    @pytest.fixture
    def refused(self, train: Callable[..., int], tmp_path: Path, capfd) -> Callable[..., str]:
        """The sentence with which a training ends."""

        def run(*arguments: object) -> str:
            assert train(tmp_path / "out", 2, *arguments) == 2
            lines = capfd.readouterr().err.strip().splitlines()
            assert len(lines) == 1, lines
            return lines[0].removeprefix("error: ")

        return run

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--source", "./none"], r"There is no folder ./none\."),
            (["--target", "VeRi777"], "There is no data set 'VeRi777'; did you mean"),
            (["--size", "17"], "Images of 17x17 pixels cannot be translated: .* multiples of 2"),
            (["--discriminator-layers", "5"], "Images of 16x16 pixels are too small for discriminators"),
            (["--batch-size", "6"], "The target has 5 images: too few for a batch of 6"),
            (["--seed", "-1"], "seed -1"),
            (["--iterations", "0"], "There are 0 iterations"),
            (["--checkpoint-period", "0"], "a checkpoint every 0"),
            (["--lambda2", "-1"], "lambda2 is -1.0: a weight is 0 or more"),
            (["--learning-rate", "0"], "Adam's learning rate is 0.0"),
            (["--shared-blocks", "2"], "share 1 to all of the blocks"),
            (["--amp", "fp16"], "--amp fp16 needs CUDA"),
            (["--opts", "DATASETS.MIXX", "x"], "unknown key DATASETS.MIXX; did you mean DATASETS.MIX?"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_arguments(self, refused, arguments, sentence):
        assert re.match(f".*{sentence}", refused(*arguments))

    def test_a_damaged_image(self, refused, domains, tmp_path):
        (tmp_path / "torn").mkdir()
        for path in domains[0].glob("*.png"):
            (tmp_path / "torn" / path.name).write_bytes(path.read_bytes()[:50])
        assert "Cannot read the image" in refused("--source", tmp_path / "torn")

    def test_a_checkpoint_of_other_settings(self, refused, train, tmp_path):
        assert train(tmp_path / "out", 2) == 0
        said = refused("--resume", "--width", 8, "--lambda0", 1)
        assert "(translator width 4 there and 8 here; weights lambda0 10.0 there and 1.0 here)" in said

    def test_a_checkpoint_of_other_images(self, refused, train, domains, tmp_path):
        """As many as there were, elsewhere: the same names and sizes are the same images."""
        assert train(tmp_path / "out", 2) == 0
        copy = Path(shutil.copytree(domains[0], tmp_path / "copy"))
        assert train(tmp_path / "out", 3, "--resume", "--source", copy) == 0
        (copy / "3.png").rename(copy / "33.png")
        assert "is of a training on other images: resume with the same source" in refused("--resume", "--source", copy)

    def test_files_that_are_no_checkpoint(self, refused, tmp_path):
        (tmp_path / "out").mkdir()
        torch.save({"model": {}}, tmp_path / "out" / "translator.pth")
        assert "is not a checkpoint of `vreid translate train`" in refused("--resume")
        (tmp_path / "out" / "translator.pth").write_bytes(b"torn")
        assert "is not a checkpoint, or it is damaged" in refused("--resume")

    def test_a_loss_that_is_no_number(self, refused, tmp_path):
        assert "lower --learning-rate" in refused("--learning-rate", "1e30", "--iterations", 20)
        assert not (tmp_path / "out" / "translator.pth").exists()

    def test_sizes(self, translate, capfd):
        assert translate("train", "--source", "a", "--target", "b", "--output", "c", "--size", "1,2,3") == 2
        assert "'1,2,3' is no size: write 128, or 128,192" in capfd.readouterr().err
