"""Texture charts: flat drawings of a vehicle's sides in metres, packed into one atlas.

A chart is what one sees looking straight at one side of the vehicle. Drawing takes two of the vehicle's coordinates x, y, z, so
a window or a sticker is drawn where it is on the body, and the same coordinates texture the mesh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import cv2
import numpy as np

__all__ = ["FACINGS", "RGB", "Atlas", "Chart", "Charts", "Kind", "Swatch", "to_linear"]

RGB = tuple[int, int, int]

FACINGS = {"left": (0, 2, -1), "right": (0, 2, 1), "front": (1, 2, 1), "rear": (1, 2, -1), "top": (0, 1, 1)}
"""Chart → (axis drawn across, axis drawn up, sign of the axis across): unmirrored, as seen from outside."""

_SHIFT = 4  # sub-pixel bits of OpenCV's drawing
_SWATCH = 4  # pixels a side


class Kind(IntEnum):
    """Surface of a texel; how it reflects is in :mod:`shading`."""

    PAINT = 0
    GLASS = 1
    LAMP = 2
    MATTE = 3
    METAL = 4


class Swatch(int):
    """Index of a one-colour patch of the atlas."""


def to_linear(rgb: Sequence[int] | np.ndarray) -> np.ndarray:
    """sRGB 0..255 to linear light 0..1, float32, same shape."""
    return np.power(np.asarray(rgb, dtype=np.float32) / 255.0, np.float32(2.2))


class Chart:
    """One drawing, ``rgb`` (H, W, 3) uint8 sRGB and ``kind`` (H, W) uint8.

    Args:
        low, high: the corners of what is drawn, in metres, (across, up) in vehicle coordinates.
        resolution: pixels a metre.
        sign: -1 where the axis across runs to the left as seen from outside.
        rgb, kind: what the whole chart is before anything is drawn.
    """

    def __init__(
        self,
        low: tuple[float, float],
        high: tuple[float, float],
        resolution: float,
        sign: int = 1,
        rgb: RGB = (0, 0, 0),
        kind: Kind = Kind.PAINT,
    ) -> None:
        self.low, self.high, self.resolution, self.sign = low, high, resolution, sign
        width, height = (max(4, int(np.ceil((h - lo) * resolution))) for lo, h in zip(low, high, strict=True))
        self.rgb = np.full((height, width, 3), rgb, dtype=np.uint8)
        self.kind = np.full((height, width), kind, dtype=np.uint8)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Vehicle coordinates (n, 2) in metres to pixel coordinates (column, row), float64; pixel centres are at integers."""
        points = np.asarray(points, dtype=np.float64)
        left = self.low[0] if self.sign > 0 else -self.high[0]
        across = (points[:, 0] * self.sign - left) * self.resolution
        return np.stack([across, (self.high[1] - points[:, 1]) * self.resolution], axis=1) - 0.5

    def polygon(self, points: Sequence[tuple[float, float]] | np.ndarray, rgb: RGB, kind: Kind) -> None:
        """Fills a polygon given in metres."""
        fixed = [np.round(self.pixels(np.asarray(points)) * (1 << _SHIFT)).astype(np.int32)]
        cv2.fillPoly(self.rgb, fixed, rgb, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(self.kind, fixed, int(kind), cv2.LINE_8, _SHIFT)

    def rectangle(self, low: tuple[float, float], high: tuple[float, float], rgb: RGB, kind: Kind) -> None:
        """Fills the rectangle between two corners in metres."""
        self.polygon([low, (high[0], low[1]), high, (low[0], high[1])], rgb, kind)

    def disc(self, center: tuple[float, float], radius: float, rgb: RGB, kind: Kind) -> None:
        """Fills a circle; metres."""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        self.polygon(np.stack([center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle)], axis=1), rgb, kind)

    def line(self, points: Sequence[tuple[float, float]], width: float, rgb: RGB, kind: Kind = Kind.MATTE) -> None:
        """Draws a line ``width`` metres wide through the points."""
        for a, b in pairwise(points):
            along = np.subtract(b, a)
            length = float(np.hypot(*along))
            if length > 0:
                across = np.array([-along[1], along[0]]) / length * width / 2
                self.polygon(np.stack([a + across, b + across, b - across, a - across]), rgb, kind)

    def text(self, text: str, low: tuple[float, float], high: tuple[float, float], rgb: RGB) -> None:
        """Draws letters that fill a rectangle in metres, readable from outside."""
        (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1.0, 3)
        letters = np.zeros((height + base + 4, width + 4), dtype=np.uint8)
        cv2.putText(letters, text, (2, height + 2), cv2.FONT_HERSHEY_DUPLEX, 1.0, 255, 3, cv2.LINE_AA)
        corners = np.round(self.pixels(np.array([low, high])) + 0.5).astype(int)
        x0, y0 = np.maximum(corners.min(axis=0), 0)
        x1, y1 = np.minimum(corners.max(axis=0), [self.rgb.shape[1], self.rgb.shape[0]])
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        alpha = cv2.resize(letters, (int(x1 - x0), int(y1 - y0)), interpolation=cv2.INTER_AREA)[..., None] / np.float32(255)
        patch = self.rgb[y0:y1, x0:x1]
        patch[...] = np.round(patch * (1 - alpha) + np.float32(rgb) * alpha).astype(np.uint8)


@dataclass(frozen=True)
class Atlas:
    """All charts in one texture: ``rgb`` (H, W, 3) float32 linear, ``kind`` (H, W) uint8, ``origin`` chart → (column, row)."""

    rgb: np.ndarray
    kind: np.ndarray
    origin: dict[str, tuple[int, int]]

    def swatch_uv(self, swatch: Swatch) -> tuple[float, float]:
        """Atlas pixel in the middle of a swatch."""
        column, row = self.origin["swatches"]
        return column + _SWATCH * swatch + 1.5, row + 1.5


class Charts:
    """The charts of one vehicle by name, and its one-colour swatches."""

    def __init__(self) -> None:
        self._charts: dict[str, Chart] = {}
        self._swatches: dict[tuple[RGB, Kind], Swatch] = {}

    def __setitem__(self, name: str, chart: Chart) -> None:
        self._charts[name] = chart

    def __getitem__(self, name: str) -> Chart:
        return self._charts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._charts)

    def swatch(self, rgb: RGB, kind: Kind = Kind.MATTE) -> Swatch:
        """The swatch of one colour, made when first asked for."""
        return self._swatches.setdefault((tuple(int(c) for c in rgb), kind), Swatch(len(self._swatches)))

    def pack(self) -> Atlas:
        """Stacks the charts, with the swatches in the last rows."""
        origin, row = {}, 0
        for name, chart in self._charts.items():
            origin[name] = (0, row)
            row += chart.rgb.shape[0]
        origin["swatches"] = (0, row)
        width = max([c.rgb.shape[1] for c in self._charts.values()] + [_SWATCH * len(self._swatches)])
        rgb = np.zeros((row + _SWATCH, width, 3), dtype=np.uint8)
        kind = np.zeros((row + _SWATCH, width), dtype=np.uint8)
        for name, chart in self._charts.items():
            (_, top), (h, w) = origin[name], chart.kind.shape
            rgb[top : top + h, :w], kind[top : top + h, :w] = chart.rgb, chart.kind
        for (color, surface), index in self._swatches.items():
            columns = slice(_SWATCH * index, _SWATCH * (index + 1))
            rgb[row:, columns], kind[row:, columns] = color, surface
        return Atlas(to_linear(np.arange(256))[rgb], kind, origin)
