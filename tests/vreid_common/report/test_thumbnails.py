"""Pictures as data URIs, and what stands for those that are not there."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common.report.thumbnails import Thumbnails, heat_picture, plain_picture


def decoded(uri):
    prefix, _, content = uri.partition(",")
    assert prefix == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize(("size", "shown"), [((400, 200), (176, 88)), ((50, 1000), (9, 176)), ((30, 20), (176, 117))])
def test_small_with_their_shape_kept(tmp_path, size, shown):
    Image.new("RGB", size, (200, 30, 30)).save(tmp_path / "a.png")
    picture = decoded(Thumbnails()(str(tmp_path / "a.png")))
    assert picture.size == shown
    assert np.abs(np.asarray(picture, int) - (200, 30, 30)).max() < 6


def test_each_file_is_read_once(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (9, 9)).save(path)
    thumbnails = Thumbnails()
    first = thumbnails(str(path))
    path.unlink()
    assert thumbnails(str(path)) == first
    assert not thumbnails.missing


def test_missing_and_damaged_files_are_named(tmp_path):
    (tmp_path / "b.jpg").write_bytes(b"no image")
    thumbnails = Thumbnails()
    for name in ("gone.jpg", "b.jpg", "gone.jpg"):
        assert thumbnails(str(tmp_path / name)) is None
    assert [path.rsplit("/")[-1] for path in thumbnails.missing] == ["gone.jpg", "b.jpg"]
    assert "No such file" in next(iter(thumbnails.missing.values()))


def test_no_path(tmp_path):
    thumbnails = Thumbnails()
    assert thumbnails("") is None
    assert list(thumbnails.missing.values()) == ["The images have no paths."]


def test_heat_covers_the_image_where_it_is_high():
    image = torch.full((3, 64, 64), 120, dtype=torch.uint8)
    heat = torch.zeros(64, 64)
    heat[:, 32:] = 1
    seen, plain = (np.asarray(decoded(uri), int) for uri in (heat_picture(image, heat), plain_picture(image)))
    assert np.abs(seen[:, :80] - plain[:, :80]).max() < 6
    assert (seen[:, 100:] - plain[:, 100:]).max() > 60
