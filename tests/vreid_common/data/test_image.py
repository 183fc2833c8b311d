import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vreid_common.data import ImageReadError, read_image
from vreid_common.errors import InputError

GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


def pixels(path: Path, **kwargs) -> np.ndarray:
    image = read_image(path, **kwargs)
    assert image.mode == "RGB"
    return np.asarray(image)


def save(image: Image.Image, path: Path, **kwargs) -> Path:
    image.save(path, **kwargs)
    return path


class TestKinds:
    """B15: FastReID hands these to the network with a wrong number of channels or range, or crashes."""

    def test_rgb_is_unchanged(self, tmp_path):
        array = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
        assert np.array_equal(pixels(save(Image.fromarray(array), tmp_path / "a.png")), array)

    def test_palette(self, tmp_path):
        array = np.repeat(np.uint8([[[255, 0, 0], [0, 0, 255]]]), 4, axis=0)
        path = save(Image.fromarray(array).quantize(2), tmp_path / "a.png")
        assert Image.open(path).mode == "P"
        assert np.array_equal(pixels(path), array)

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_transparent_pixels_are_black(self, tmp_path, mode):
        image = Image.new(mode, (3, 1), (200,) * (len(mode) - 1) + (255,))
        image.putpixel((1, 0), (200,) * (len(mode) - 1) + (0,))
        image.putpixel((2, 0), (200,) * (len(mode) - 1) + (51,))
        assert pixels(save(image, tmp_path / "a.png"))[0, :, 0].tolist() == [200, 0, 40]

    def test_transparent_palette_colour_is_black(self, tmp_path):
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 255, 0])
        image.putpixel((1, 0), 1)
        path = save(image, tmp_path / "a.png", transparency=1)
        assert pixels(path).tolist() == [[[255, 0, 0], [0, 0, 0]]]

    def test_transparent_rgb_colour_is_black(self, tmp_path):
        image = Image.fromarray(np.uint8([[[255, 0, 0], [9, 9, 9]]]))
        path = save(image, tmp_path / "a.png", transparency=(9, 9, 9))
        assert pixels(path).tolist() == [[[255, 0, 0], [0, 0, 0]]]

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
    def test_other_colour_spaces(self, tmp_path, mode):
        image = Image.new("RGB", (8, 8), (200, 60, 20)).convert(mode)
        path = save(image, tmp_path / ("a.tif" if mode == "CMYK" else "a.jpg"), **({} if mode == "CMYK" else {"quality": 100}))
        assert np.abs(pixels(path).astype(int) - (200, 60, 20)).max() <= 3

    def test_cmyk_jpeg(self, tmp_path):
        path = save(Image.new("RGB", (8, 8), (200, 60, 20)).convert("CMYK"), tmp_path / "a.jpg", quality=100)
        assert np.abs(pixels(path, decode_size=2).astype(int) - (200, 60, 20)).max() <= 3

    def test_grey(self, tmp_path):
        assert np.array_equal(pixels(save(Image.fromarray(GRADIENT), tmp_path / "a.png")), np.stack([GRADIENT] * 3, axis=-1))

    def test_one_bit(self, tmp_path):
        path = save(Image.fromarray(GRADIENT).convert("1"), tmp_path / "a.png")
        assert Image.open(path).mode == "1"
        assert set(np.unique(pixels(path))) == {0, 255}

    @pytest.mark.parametrize("name", ["a.png", "a.tif"])
    def test_16_bit_is_scaled_and_not_clipped(self, tmp_path, name):
        path = save(Image.fromarray(GRADIENT.astype(np.uint16) * 257), tmp_path / name)
        assert np.array_equal(pixels(path)[..., 0], GRADIENT)

    def test_16_bit_pgm(self, tmp_path):
        path = tmp_path / "a.pgm"
        path.write_bytes(b"P5 2 1 65535\n\x80\x00\xff\xff")
        assert pixels(path)[0, :, 0].tolist() == [128, 255]

    @pytest.mark.parametrize("largest", [1.0, 255.0])
    def test_float(self, tmp_path, largest):
        path = save(Image.fromarray(GRADIENT.astype(np.float32) / 255 * largest), tmp_path / "a.tif")
        assert Image.open(path).mode == "F"
        assert np.array_equal(pixels(path)[..., 0], GRADIENT)

    @pytest.mark.parametrize("value", [np.nan, -5.0, 1e6])
    def test_float_of_no_known_range_is_refused(self, tmp_path, value):
        path = save(Image.fromarray(np.full((4, 4), value, np.float32)), tmp_path / "a.tif")
        with pytest.raises(ImageReadError, match=r"a\.tif: its values .* lie outside of 0\.\.255"):
            read_image(path)

    def test_one_pixel(self, tmp_path):
        assert pixels(save(Image.new("RGB", (1, 1), (1, 2, 3)), tmp_path / "a.png")).tolist() == [[[1, 2, 3]]]

    @pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
    def test_exif_orientation_is_applied(self, tmp_path, orientation, turns):
        array = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = save(Image.fromarray(array), tmp_path / "a.png", exif=exif)
        assert np.array_equal(pixels(path), np.rot90(array, turns))

    def test_damaged_exif_is_ignored(self, tmp_path):
        path = save(Image.fromarray(GRADIENT), tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7fjunk")
        assert pixels(path).shape == (16, 16, 3)


class TestFaults:
    def refused(self, path: Path) -> str:
        with pytest.raises(ImageReadError) as caught:
            read_image(path)
        message = str(caught.value)
        assert str(path) in message
        assert "\n" not in message
        assert message.endswith(".")
        return message

    def test_missing(self, tmp_path):
        assert "No such file" in self.refused(tmp_path / "a.jpg")

    def test_folder(self, tmp_path):
        assert "not a file" in self.refused(tmp_path)

    def test_pipe_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "a.jpg")
        assert "not a file" in self.refused(tmp_path / "a.jpg")

    def test_zero_bytes(self, tmp_path):
        (tmp_path / "a.jpg").touch()
        assert "empty" in self.refused(tmp_path / "a.jpg")

    def test_text(self, tmp_path):
        (tmp_path / "a.jpg").write_text("not an image")
        assert "not an image of a known format" in self.refused(tmp_path / "a.jpg")

    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif", "a.webp"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_truncated(self, tmp_path, name, share):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        path = save(Image.fromarray(noise), tmp_path / name)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        self.refused(path)

    @pytest.mark.filterwarnings("ignore:::PIL")
    def test_any_damage_is_an_image_or_one_sentence(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        rng = np.random.default_rng(1)
        for name in ("a.jpg", "a.png", "a.gif", "a.tif"):
            whole = save(Image.fromarray(noise), tmp_path / name).read_bytes()
            for _ in range(100):
                damaged = bytearray(whole)
                for place in rng.integers(len(whole), size=8):
                    damaged[place] = rng.integers(256)
                (tmp_path / name).write_bytes(damaged)
                try:
                    pixels(tmp_path / name)
                except ImageReadError as error:
                    assert name in str(error)  # noqa: PT017 - either outcome is right

    def test_decompression_bomb(self, tmp_path):
        path = save(Image.new("1", (20_000, 20_000)), tmp_path / "a.png")
        assert path.stat().st_size < 200_000
        self.refused(path)

    def test_error_survives_pickling(self, tmp_path):
        with pytest.raises(InputError) as caught:
            read_image(tmp_path / "a.jpg")
        copy = pickle.loads(pickle.dumps(caught.value))
        assert type(copy) is ImageReadError
        assert str(copy) == str(caught.value)


class TestDecodeSize:
    def test_large_jpeg_is_decoded_small_and_looks_the_same(self, tmp_path):
        y, x = np.mgrid[0:900, 0:1600]
        array = np.stack([x / 8, y / 5, 120 + 100 * np.sin(x / 40) * np.cos(y / 30)], axis=-1).astype(np.uint8)
        path = save(Image.fromarray(array), tmp_path / "a.jpg", quality=95)
        small = read_image(path, decode_size=64)
        assert 128 <= min(small.size) < 256
        difference = np.asarray(small.resize((64, 64)), int) - np.asarray(read_image(path).resize((64, 64)), int)
        assert np.abs(difference).mean() < 1

    def test_small_images_are_not_touched(self, tmp_path):
        path = save(Image.fromarray(GRADIENT), tmp_path / "a.jpg")
        assert np.array_equal(pixels(path, decode_size=16), pixels(path))


def test_real_photographs(photos):
    for path in sorted((photos / "images").iterdir())[:50]:
        with Image.open(path) as image:
            assert np.array_equal(pixels(path), np.asarray(image.convert("RGB")))
