"""Images that cannot be decoded: named before the first iteration, in training, check-data and extraction."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _png(size: tuple[int, int] = (32, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _bomb() -> bytes:
    """A PNG whose header claims 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


DAMAGED = {
    "empty": b"",
    "a text": b"no picture at all",
    "truncated": _png()[:-900],
    "its header alone": _png()[:40],
    "a bomb": _bomb(),
    "HTML": b"<html><body>404</body></html>",
    "a video": b"\x00\x00\x00\x18ftypmp42" + b"\0" * 100,
}


@pytest.fixture
def with_image(vehicles: Path, tmp_path: Path):
    """A function: (content of one image, its split) gives a CSV file whose first image of that split is that one."""

    def build(content: bytes | None, split: str) -> Path:
        bad = tmp_path / "bad.png"
        if content is not None:
            bad.write_bytes(content)
        rows = vehicles.read_text().splitlines()
        first = next(place for place, row in enumerate(rows) if row.endswith(split))
        rows = [row if place == 0 else f"{vehicles.parent}/{row}" for place, row in enumerate(rows)]
        rows[first] = ",".join([str(bad), *rows[first].split(",")[1:]])
        (tmp_path / "cars.csv").write_text("\n".join(rows))
        return tmp_path / "cars.csv"

    return build


@pytest.mark.parametrize("split", ["query", "train"])
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_training_names_it(content: bytes, split: str, with_image, config_file: Path, refused):
    refused("train", "--config-file", config_file, "DATASETS.CSV.FILE", with_image(content, split), holds=["bad.png"])
    assert not (config_file.parent / "out" / "model_final.pth").exists()


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_extraction_names_it(content: bytes, trained: Path, tmp_path: Path, refused):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "bad.png").write_bytes(content)
    model = ["--config-file", trained / "config.yaml", "--weights", trained / "model_final.pth"]
    refused("extract", *model, "--images", tmp_path / "images", "--output", tmp_path / "f", holds=["bad.png"])


def test_a_pipe_in_place_of_an_image(with_image, config_file: Path, tmp_path: Path, refused):
    os.mkfifo(tmp_path / "bad.png")
    refused("train", "--config-file", config_file, "DATASETS.CSV.FILE", with_image(None, "query"), holds=["bad.png"])


def test_a_link_that_leads_to_itself(with_image, config_file: Path, tmp_path: Path, refused):
    (tmp_path / "bad.png").symlink_to(tmp_path / "bad.png")
    refused("train", "--config-file", config_file, "DATASETS.CSV.FILE", with_image(None, "query"), holds=["bad.png"])
