"""The images that a query can be picked from, a page of them at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePath

from PIL import Image, ImageDraw, ImageOps

from vreid_common.browse.session import Session
from vreid_common.data import ImageReadError, read_image

__all__ = ["Shelf", "shelf_of"]

_ON_A_PAGE = 12
_SIDE = 128
"""Of a picture in pixels."""


@dataclass(frozen=True)
class Shelf:
    """A page of images.

    Attributes:
        rows: of the session's pool.
        pictures: square pictures with their captions.
        page, pages: which page it is, counted from 1, of how many.
        found: images on all pages.
    """

    rows: tuple[int, ...]
    pictures: tuple[tuple[Image.Image, str], ...]
    page: int
    pages: int
    found: int


def shelf_of(session: Session, text: str = "", page: int = 1) -> Shelf:
    """Of the images that ``session.find(text)`` finds the page that is nearest to ``page``."""
    found = session.find(text)
    pages = max(1, math.ceil(len(found) / _ON_A_PAGE))
    page = min(max(page, 1), pages)
    rows = found[(page - 1) * _ON_A_PAGE : page * _ON_A_PAGE]
    return Shelf(tuple(rows), tuple((_picture(session, row), _caption(session, row)) for row in rows), page, pages, len(found))


def _caption(session: Session, row: int) -> str:
    vehicle = session.pool.name_of("pids", row)
    return f"vehicle {vehicle}" if vehicle is not None else PurePath(session.pool.paths[row]).name or f"image {row}"


def _picture(session: Session, row: int) -> Image.Image:
    try:
        image = read_image(session.pool.paths[row], _SIDE)
    except ImageReadError:
        image = Image.new("RGB", (_SIDE, _SIDE), "gray")
        ImageDraw.Draw(image).text((_SIDE / 2, _SIDE / 2), "no picture", fill="white", anchor="mm")
    return ImageOps.fit(image, (_SIDE, _SIDE))
