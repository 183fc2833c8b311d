"""The translated copy of a folder, with a translation that is known: the negative."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common.data import ImageReadError, read_folder
from vreid_common.errors import InputError
from vreid_common.synthetic.translation import translate_folder
from vreid_common.synthetic.translation.apply import as_pixels

IMAGES = ["3.png", "a/0.png", "a/1.png", "a/4.jpg", "b/c/2.PNG"]


@pytest.fixture
def apply(shipped: Path, tmp_path: Path) -> Callable[..., tuple[int, int]]:
    def run(translate=lambda x: -x, source=shipped, output=tmp_path / "copy", identity=None, **options):
        return translate_folder(translate, source, output, (16, 16), identity or {"checkpoint": "x"}, **options)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


@pytest.mark.parametrize("options", [{}, {"batch_size": 2, "workers": 2}, {"batch_size": 1}])
def test_images_are_translated_and_all_other_files_are_the_same(apply, shipped, tmp_path, options):
    before = contents(shipped)
    assert apply(**options) == (5, 5)
    copy = tmp_path / "copy"
    assert contents(shipped) == before
    assert sorted(contents(copy)) == sorted([*(name for name in before if ".hidden" not in name), "translation.json"])
    for name in ("labels.xml", "a/list.txt"):
        assert (copy / name).read_bytes() == before[name]
    for name in IMAGES:
        assert pixels(copy / name).shape == pixels(shipped / name).shape
    for name in ("3.png", "a/0.png"):  # of the network's own size, without loss
        assert np.array_equal(pixels(copy / name), 255 - pixels(shipped / name))
    assert np.abs(pixels(copy / "a/4.jpg") - (255 - pixels(shipped / "a/4.jpg"))).mean() < 20
    assert Image.open(copy / "a/4.jpg").format == "JPEG"
    assert Image.open(copy / "b/c/2.PNG").format == "PNG"
    assert json.loads((copy / "translation.json").read_text()) == {"checkpoint": "x"}


def test_images_of_another_size_come_back_at_their_own(apply, shipped, tmp_path):
    """The network sees 16×16; without a translation, what comes back is the image as two resizings leave it."""
    apply(translate=lambda x: x)
    once = Image.open(shipped / "a/1.png").resize((16, 16), Image.Resampling.BICUBIC)
    expected = np.asarray(once.resize((21, 33), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(pixels(tmp_path / "copy/a/1.png") - expected).max() <= 1


def test_the_network_s_output_is_rounded_and_clamped():
    output = torch.tensor([-1.5, -1.0, -0.001, 0.0, 0.999, 1.0, 2.0])
    expected = [min(max(round((value + 1) * 127.5), 0), 255) for value in output.tolist()]
    assert as_pixels(output).tolist() == expected
    assert as_pixels(output.bfloat16()).dtype == torch.uint8


def test_an_interrupted_copy_goes_on_and_labels_come_last(apply, tmp_path):
    calls = 0

    def interrupted(batch: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return -batch

    with pytest.raises(KeyboardInterrupt):
        apply(interrupted, batch_size=1)
    copy = tmp_path / "copy"
    assert sorted(contents(copy)) == ["3.png", "a/0.png", "translation.json"]  # no labels: no reader takes it for a whole set
    times = {name: (copy / name).stat().st_mtime_ns for name in ("3.png", "a/0.png")}
    (copy / "a" / ".1.png.77.tmp").write_bytes(b"of a killed process")
    (copy / "a" / "1.png").write_bytes(b"")

    assert apply() == (3, 5)
    assert {name: (copy / name).stat().st_mtime_ns for name in times} == times
    assert not list(copy.rglob(".*"))
    whole = contents(copy)
    assert apply(lambda _: pytest.fail("nothing is left to translate")) == (0, 5)
    assert contents(copy) == whole
    apply(output=tmp_path / "at once")
    assert contents(tmp_path / "at once") == whole


def test_a_damaged_image_is_named_and_the_others_are_kept(apply, shipped, tmp_path):
    (shipped / "a" / "1.png").write_bytes((shipped / "a" / "1.png").read_bytes()[:60])
    with pytest.raises(ImageReadError, match="Cannot read the image .*a/1.png"):
        apply(batch_size=1, workers=1)
    assert sorted(contents(tmp_path / "copy")) == ["3.png", "a/0.png", "translation.json"]


class TestFolders:
    def test_the_input_is_never_the_output(self, apply, shipped, tmp_path):
        (tmp_path / "link").symlink_to(shipped)
        before = contents(shipped)
        for output in (shipped, shipped / "copy", tmp_path / "link", tmp_path / "link" / "a"):
            with pytest.raises(InputError, match=f"{re.escape(str(output))} is .* or lies in it"):
                apply(output=output)
        with pytest.raises(InputError, match=f"{tmp_path} is not empty and was not made by"):
            apply(output=tmp_path)
        assert contents(shipped) == before

    def test_what_is_not_there(self, apply, tmp_path):
        with pytest.raises(InputError, match="There is no folder .*none to translate"):
            apply(source=tmp_path / "none")
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError, match="There are no images in"):
            apply(source=tmp_path / "empty")

    def test_a_file_as_output(self, apply, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="file is a file"):
            apply(output=tmp_path / "file")
        with pytest.raises(InputError, match="Cannot write translated images to .*: Not a directory"):
            apply(output=tmp_path / "file" / "below")

    def test_another_translation_is_there(self, apply, tmp_path):
        apply()
        before = contents(tmp_path / "copy")
        with pytest.raises(InputError, match=r"already holds another translation \(checkpoint "):
            apply(identity={"checkpoint": "y"})
        (tmp_path / "copy" / "translation.json").write_text("torn")
        with pytest.raises(InputError, match="already holds another translation"):
            apply()
        assert {**contents(tmp_path / "copy"), "translation.json": b""} == {**before, "translation.json": b""}

    @pytest.mark.parametrize("options", [{"batch_size": 0}, {"workers": -1}])
    def test_numbers(self, apply, options):
        with pytest.raises(InputError, match="use 1 or more and 0 or more"):
            apply(**options)


def test_the_copy_of_a_copy_is_the_original(apply, shipped, tmp_path):
    apply()
    apply(source=tmp_path / "copy", output=tmp_path / "back")
    for name in ("3.png", "a/0.png"):
        assert np.array_equal(pixels(tmp_path / "back" / name), pixels(shipped / name))
    assert len(read_folder(tmp_path / "back")) == 5
