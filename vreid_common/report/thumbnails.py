"""Small pictures as data URIs: of image files, and of images under a map of where a model looks.

Shape shorthand: H×W pixels.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from vreid_common.data import ImageReadError, read_image
from vreid_common.report.heat import heat_over

__all__ = ["Thumbnails", "heat_picture", "plain_picture"]

_SIDE = 176
"""Longest side in pixels: twice what the page shows, for dense screens."""
_QUALITY = 80


class Thumbnails:
    """Data URIs of image files, each read once, when it is first asked for.

    Args:
        most: how many are kept, the latest; None for all.

    Attributes:
        missing: path → why the image cannot be shown, in one sentence; in the order in which they were asked for.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._found: dict[str, str] = {}
        self.missing: dict[str, str] = {}

    def __call__(self, path: str) -> str | None:
        """The data URI; None for an image that has no path or cannot be read."""
        if not path:
            self.missing.setdefault("", "The images have no paths.")
        elif path not in self._found and path not in self.missing:
            try:
                self._found[path] = _data_uri(read_image(path, _SIDE))
            except ImageReadError as error:
                self.missing[path] = str(error)
            for kept in (self._found, self.missing):
                if self._most is not None and len(kept) > self._most:
                    del kept[next(iter(kept))]
        return self._found.get(path)


def plain_picture(image: Tensor) -> str:
    """The data URI of an image (3, H, W) of 0..255, as a model sees it."""
    return _data_uri(Image.fromarray(_pixels(image)))


def heat_picture(image: Tensor, heat: Tensor) -> str:
    """The same under a map (H, W) in [0, 1]."""
    return _data_uri(Image.fromarray(heat_over(_pixels(image), heat.numpy())))


def _pixels(image: Tensor) -> np.ndarray:
    return image.round().byte().permute(1, 2, 0).cpu().numpy()


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    ImageOps.contain(image, (_SIDE, _SIDE)).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
