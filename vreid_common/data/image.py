"""Decoding of image files into 8-bit RGB, whatever kind of file they are."""

import os
import stat
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vreid_common.errors import InputError

__all__ = ["ImageReadError", "read_image"]

_ORIENTATION = 0x0112
_USUAL_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PPM", "PNG")
_MAX_16_BIT = 65535
# Pillow warns above this number of pixels and refuses twice as many, in case the file is a decompression bomb.
_MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485


class ImageReadError(InputError):
    """An image file is missing, empty, damaged or of no known kind. The message is one sentence that names the file."""


def read_image(path: str | os.PathLike, decode_size: int | None = None) -> Image.Image:
    """Reads an image file as 8-bit RGB, upright.

    - Palette, grey, 1-bit, CMYK and YCbCr images are converted.
    - Transparent pixels show black, the value that FastReID's padding and rotation put outside of the picture; dropping
      the alpha channel would show whatever colour the file happens to hold there.
    - 16-bit images are scaled to 8 bits with the fixed factor 255/65535, so that brightness stays comparable between images.
    - Float images hold 0..1 or 0..255, told apart by their largest value.
    - The EXIF orientation is applied.

    Args:
        path: file to read.
        decode_size: the caller shrinks the image until both sides are at most this many pixels. JPEG decoding then skips
            the detail that cannot be seen, but never below twice ``decode_size``.

    Raises:
        ImageReadError: there is no such file, or it does not hold a complete image of a known kind.
    """
    path = os.fspath(path)
    _check_is_file(path)
    try:
        with Image.open(path, formats=_formats()) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels are more than the {_MAX_PIXELS} that are safe to decode")
            if decode_size is not None:
                # Only JPEG has a draft mode; for other files this does nothing.
                image.draft(None, (2 * decode_size, 2 * decode_size))
            image.load()
            return _upright(_to_rgb(image))
    # Pillow's readers raise whatever a damaged file makes of them: OSError, SyntaxError, struct.error, zlib.error, ...
    except Exception as error:
        raise ImageReadError(
            f"Cannot read the image {path}: {_reason(error)}; replace the file or take it off its list."
        ) from error


@cache
def _formats() -> list[str]:
    """Pillow's, without EPS and WMF, for which it runs other programs. It tries the usual ones first, as some take anything."""
    Image.init()
    return [name for name in dict.fromkeys([*_USUAL_FORMATS, *Image.ID]) if name not in ("EPS", "WMF")]


def _check_is_file(path: str) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path a file costs more than the call
    except OSError as error:
        raise ImageReadError(f"Cannot read the image {path}: {error.strerror}.") from error
    except ValueError as error:  # a NUL byte
        raise ImageReadError(f"Cannot read the image {path!r}: that is no name of a file.") from error
    # Opening a pipe would wait for ever.
    if not stat.S_ISREG(status.st_mode):
        raise ImageReadError(f"Cannot read the image {path}: it is not a file.")
    if status.st_size == 0:
        raise ImageReadError(f"Cannot read the image {path}: the file is empty; replace it or take it off its list.")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image of a known format"
    return " ".join(str(error).split()) or type(error).__name__


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _wide_to_rgb(np.asarray(image))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.composite(rgba, Image.new("RGBA", rgba.size), rgba.getchannel("A")).convert("RGB")
    return image.convert("RGB")


def _wide_to_rgb(pixels: np.ndarray) -> Image.Image:
    """(H, W) integers 0..65535 or floats 0..1 or 0..255 -> 8-bit RGB."""
    low, high = pixels.min(), pixels.max()
    is_float = pixels.dtype.kind == "f"
    largest = 255 if is_float else _MAX_16_BIT
    if not 0 <= low <= high <= largest:  # false for NaN too
        raise ValueError(f"its values {low}..{high} lie outside of 0..{largest}")
    scale = 255.0 if is_float and high <= 1 else 255 / largest
    return Image.fromarray(np.rint(pixels * scale).astype(np.uint8)).convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return image
    return image if orientation == 1 else ImageOps.exif_transpose(image)
