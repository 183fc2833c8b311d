"""Sheets of images: a row for each kind, with its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vreid_common.files import write_atomically

__all__ = ["draw_sheet", "save_sheet"]

_GAP, _LABEL = 3, 84
_PAPER, _INK = 250, (60, 60, 60)


def draw_sheet(rows: Mapping[str, Sequence[np.ndarray]], tile: int = 96) -> np.ndarray:
    """Draws images of any size into square tiles, a row for each name.

    Args:
        rows: name → images, (height, width, 3) uint8 RGB each.
        tile: pixels of a tile's side.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    step = tile + _GAP
    columns = max(map(len, rows.values()))
    sheet = np.full((len(rows) * step + _GAP, _LABEL + columns * step, 3), _PAPER, dtype=np.uint8)
    for number, (name, images) in enumerate(rows.items()):
        top = number * step + _GAP
        cv2.putText(sheet, name, (4, top + tile // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
        for column, image in enumerate(images):
            left = _LABEL + column * step
            sheet[top : top + tile, left : left + tile] = cv2.resize(image, (tile, tile), interpolation=cv2.INTER_AREA)
    return sheet


def save_sheet(sheet: np.ndarray, path: Path) -> None:
    """Writes a sheet as a PNG of 256 colours, a third of the size of one of all colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = Image.fromarray(sheet).quantize(256)
    write_atomically(path, lambda temporary: small.save(temporary, "PNG", optimize=True))
