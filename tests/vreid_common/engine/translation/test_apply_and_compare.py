"""``vreid translate apply`` and ``vreid translate compare``, from end to end."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common.engine.translation.settings import load_translator
from vreid_common.errors import InputError
from vreid_common.features import file_digest


@pytest.fixture
def weights(train: Callable[..., int], tmp_path: Path) -> Path:
    assert train(tmp_path / "trained", 5) == 0
    return tmp_path / "trained" / "translator.pth"


@pytest.fixture
def apply(translate: Callable[..., int], weights: Path, domains: tuple[Path, Path], tmp_path: Path) -> Callable[..., int]:
    def run(*arguments: object) -> int:
        given = ["--weights", weights, "--input", domains[0], "--output", tmp_path / "copy", "--device", "cpu"]
        return translate("apply", *given, *arguments)

    return run


def test_images_are_what_the_translator_makes_of_them(apply, weights, domains, tmp_path, capfd):
    assert apply("--batch-size", 3, "--workers", 2, "--json", tmp_path / "about.json") == 0
    about = json.loads((tmp_path / "about.json").read_text())
    assert (about["output"], about["translated"], about["images"]) == (str(tmp_path / "copy"), 7, 7)
    assert about["checkpoint"] == file_digest(weights)
    assert "7 of 7 images translated by this call" in capfd.readouterr().out
    translator, size = load_translator(weights)
    assert size == (16, 16)
    for path in domains[0].glob("*.png"):
        small = Image.open(path).resize((16, 16), Image.Resampling.BICUBIC)
        images = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None]
        with torch.no_grad():
            made = ((translator(images / 127.5 - 1) + 1) * 127.5).round().clamp(0, 255)[0].permute(1, 2, 0)
        back = Image.fromarray(made.numpy().astype(np.uint8)).resize((20, 20), Image.Resampling.BICUBIC)
        found = np.asarray(Image.open(tmp_path / "copy" / path.name)).astype(int)
        assert np.abs(found - np.asarray(back)).max() <= 1
    assert (tmp_path / "copy" / "labels.txt").read_bytes() == (domains[0] / "labels.txt").read_bytes()

    (tmp_path / "copy" / "3.png").unlink()
    assert apply() == 0
    assert "1 of 7 images translated by this call" in capfd.readouterr().out


def test_interrupted(apply, monkeypatch, capfd):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vreid_common.engine.translation.command.translate_folder", interrupt)
    assert apply() == 130
    assert "the same command goes on where it was" in capfd.readouterr().err
    monkeypatch.undo()
    assert apply() == 0


def test_a_copy_of_another_translator_is_not_gone_on_with(apply, train, weights, capfd):
    assert apply() == 0
    assert train(weights.parent, 6, "--resume") == 0
    capfd.readouterr()
    assert apply() == 2
    assert "already holds another translation (checkpoint " in capfd.readouterr().err


@pytest.mark.parametrize("content", [None, b"torn", {"model": {}}, "folder"], ids=["absent", "torn", "another", "folder"])
def test_wrong_checkpoints(content, tmp_path):
    path = tmp_path / "w.pth"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=r"does not exist|is damaged|is not a checkpoint of `vreid|is a folder"):
        load_translator(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"translator": {"width": 2**60, "halvings": 1, "blocks": 1, "shared_blocks": 1}},
        {"translator": {"width": 4, "halvings": 10**9, "blocks": 1, "shared_blocks": 1}},
        {"translator": {"width": 8, "halvings": 1, "blocks": 1, "shared_blocks": 1}},
        {"translator": {"depth": 4}},
        {"translator": 4},
        {"height": "tall"},
        {"height": 17},
    ],
    ids=str,
)
def test_a_checkpoint_that_claims_to_be_another(weights, tmp_path, changes):
    """A stranger's: it is refused before networks are built that fill the memory."""
    state = torch.load(weights, weights_only=True)
    torch.save({**state, "settings": state["settings"] | changes}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"is not a whole checkpoint of `vreid translate train`|cannot be translated"):
        load_translator(tmp_path / "w.pth")


def test_a_flipped_bit(weights, tmp_path):
    content = bytearray(weights.read_bytes())
    weight = torch.load(weights, weights_only=True)["model"]
    place = content.index(max(weight.values(), key=torch.numel).numpy().tobytes()[:64])
    content[place + 5] ^= 1
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_translator(tmp_path / "w.pth")


def test_it_says_what_made_it(weights, domains):
    state = torch.load(weights, weights_only=True)
    assert {"python", "torch", "vreid"} <= {name.lower() for name in state["versions"]}
    assert state["settings"]["images"] == [7, 5]
    assert [len(digest) for digest in state["settings"]["lists"]] == [64, 64]


class TestCompare:
    @pytest.fixture
    def compare(self, translate, domains, tmp_path) -> Callable[..., int]:
        def run(*arguments: object) -> int:
            given = ["--real", domains[1], "--synthetic", domains[0], "--translated", tmp_path / "copy", "--device", "cpu"]
            return translate("compare", *given, "--size", 16, "--steps", 30, *arguments)

        return run

    def test_the_table_and_the_sheet(self, compare, domains, tmp_path, capfd):
        """Dark images that are made bright are no longer told from bright ones."""
        (tmp_path / "copy").mkdir()
        for path in domains[0].glob("*.png"):
            bright = np.asarray(Image.open(path)).astype(int) + 130
            Image.fromarray(bright.clip(0, 255).astype(np.uint8)).save(tmp_path / "copy" / path.name)
        assert compare("--sheet", tmp_path / "sheet.png", "--json", tmp_path / "gap.json") == 0
        rows = [line.split("|")[1:-1] for line in capfd.readouterr().out.splitlines() if line.startswith("|")]
        assert [row[0].strip() for row in rows[2:]] == [
            "synthetic images", "their translations", "their translations, trained on translations",
        ]  # fmt: skip
        assert float(rows[2][1]) == 100
        gap = json.loads((tmp_path / "gap.json").read_text())
        assert [f"{100 * gap[f'{kind}accuracy']:.1f}" for kind in ("", "translated_", "retrained_")] == [
            row[1].strip() for row in rows[2:]
        ]
        assert float(rows[3][1]) <= 60
        assert Image.open(tmp_path / "sheet.png").size == (84 + 7 * 99, 3 * 99 + 3)

    def test_a_translation_that_is_not_there(self, compare, tmp_path, capfd):
        assert compare() == 2
        assert "Cannot read the image" in capfd.readouterr().err

    @pytest.mark.parametrize("arguments", [["--images", 1], ["--steps", 0], ["--seed", -1]], ids=lambda a: a[0])
    def test_numbers(self, compare, arguments, capfd):
        assert compare(*arguments) == 2
        assert "use at least 2, 1 and 0" in capfd.readouterr().err
