"""A folder as a data set's owner ships it: images of several sizes and kinds below it, and labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    random = np.random.default_rng(0)
    for number, (name, (height, width)) in enumerate(
        {"a/0.png": (16, 16), "a/1.png": (33, 21), "b/c/2.PNG": (8, 40), "3.png": (16, 16), "a/4.jpg": (20, 24)}.items()
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.kron(random.integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1)))[:height, :width] + number
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
    (folder / "labels.xml").write_bytes(b"<a>\r\n</a>")
    (folder / "a" / "list.txt").write_text("0.png 1 \n1.png 2")
    (folder / "a" / ".hidden.png").write_bytes(b"no image")
    return folder
