"""Textured triangle meshes and the builder that makes them from convex polygons.

Vehicle frame: x forward, y left, z up, metres, the origin on the ground below the middle of the vehicle.
Shape shorthand: V vertices, T triangles, n corners of a polygon.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vreid_common.synthetic.charts import FACINGS, Charts, Swatch

__all__ = ["Mesh", "MeshBuilder", "facing"]

_CREASE_COSINE = 0.77
"""Smooth faces that meet at less than 40 degrees shade as one curved surface."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with normals and texture.

    ``vertices`` and ``normals`` are (V, 3) float32, ``uv`` (V, 2) float32 in atlas pixels (column, row), ``triangles`` (T, 3)
    int32, counter-clockwise seen from outside. ``rgb`` is the atlas, (H, W, 3) float32 linear, ``kind`` (H, W) uint8
    :class:`~vreid_common.synthetic.charts.Kind`.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray
    rgb: np.ndarray
    kind: np.ndarray

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest coordinates, (3,) each."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    @cached_property
    def radius(self) -> float:
        """Metres from the origin within which every vertex lies."""
        return float(np.sqrt((self.vertices.astype(np.float64) ** 2).sum(axis=1).max()))


def facing(normal: np.ndarray) -> str:
    """Name of the chart that shows a face: windscreens (steeper than about 25 degrees) count as front or rear, not as top."""
    if abs(normal[1]) > 0.65:
        return "left" if normal[1] > 0 else "right"
    if abs(normal[0]) > 0.42:
        return "front" if normal[0] > 0 else "rear"
    return "top"


class MeshBuilder:
    """Collects convex polygons; :meth:`build` turns them into a :class:`Mesh`."""

    def __init__(self, charts: Charts) -> None:
        self.charts = charts
        self._points: list[np.ndarray] = []
        self._normals: list[np.ndarray] = []
        self._textures: list[Swatch | tuple[str, np.ndarray]] = []
        self._smooth: list[bool] = []

    def polygon(
        self,
        points: np.ndarray,
        texture: Swatch | str | None = None,
        outward: tuple[float, float, float] | np.ndarray | None = None,
        smooth: bool = False,
        uv: np.ndarray | None = None,
    ) -> None:
        """Adds a convex polygon.

        Args:
            points: (n, 3) corners, metres.
            texture: a swatch (one colour), a chart's name, or None for the chart of the side that the polygon faces.
            outward: a direction on the outer side; the corners' order is turned to agree. None: the order is right.
            smooth: share normals with neighbouring smooth polygons across edges that are not sharp.
            uv: (n, 2) chart coordinates in metres; by default the corners projected straight onto the chart.
        """
        points = np.asarray(points, dtype=np.float64)
        normal = _normal(points)
        if normal is None:  # a quad that collapsed, where a loft ends in a line
            return
        if outward is not None and normal @ np.asarray(outward, dtype=np.float64) < 0:
            points, normal = points[::-1], -normal
            uv = None if uv is None else uv[::-1]
        if not isinstance(texture, Swatch):
            name = facing(normal) if texture is None else texture
            texture = (name, points[:, FACINGS[name][:2]] if uv is None else uv)
        self._points.append(points)
        self._normals.append(normal)
        self._textures.append(texture)
        self._smooth.append(smooth)

    def box(
        self, center: tuple[float, float, float], size: tuple[float, float, float], texture: Swatch | str | None = None
    ) -> None:
        """Adds a closed box along the axes, ``size`` its full extents; ``texture`` as in :meth:`polygon`."""
        low, high = np.subtract(center, np.divide(size, 2)), np.add(center, np.divide(size, 2))
        for axis in range(3):
            a, b = (i for i in range(3) if i != axis)
            for sign, level in ((-1.0, low), (1.0, high)):
                corners = np.empty((4, 3))
                corners[:, axis] = level[axis]
                corners[:, a] = [low[a], high[a], high[a], low[a]]
                corners[:, b] = [low[b], low[b], high[b], high[b]]
                self.polygon(corners, texture, sign * np.eye(3)[axis])

    def cylinder(
        self,
        center: tuple[float, float, float],
        axis: tuple[float, float, float],
        radius: float,
        width: float,
        cap: str | Swatch,
        wall: Swatch,
        sides: int = 16,
    ) -> None:
        """Adds a lying cylinder with the visible end towards ``axis``; a chart named as ``cap`` spans the unit disc."""
        direction = np.asarray(axis, dtype=np.float64)
        across = np.cross([0.0, 0.0, 1.0], direction)
        angle = 2 * np.pi * np.arange(sides) / sides
        disc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        ring = radius * (disc[:, :1] * across + disc[:, 1:] * [0.0, 0.0, 1.0])
        near = center + direction * width / 2 + ring
        far = near - direction * width
        self.polygon(near, cap, direction, uv=disc)
        for i in range(sides):
            j = (i + 1) % sides
            self.polygon(np.stack([near[i], far[i], far[j], near[j]]), wall, ring[i] + ring[j], smooth=True)

    def build(self) -> Mesh:
        """Packs the charts and returns the mesh."""
        atlas = self.charts.pack()
        uv = []
        for texture, points in zip(self._textures, self._points, strict=True):
            if isinstance(texture, Swatch):
                uv.append(np.tile(atlas.swatch_uv(texture), (len(points), 1)))
            else:
                uv.append(self.charts[texture[0]].pixels(texture[1]) + atlas.origin[texture[0]])
        triangles, start = [], 0
        for points in self._points:
            triangles += [(start, start + i, start + i + 1) for i in range(1, len(points) - 1)]
            start += len(points)
        return Mesh(
            np.concatenate(self._points).astype(np.float32),
            self._vertex_normals().astype(np.float32),
            np.concatenate(uv).astype(np.float32),
            np.array(triangles, dtype=np.int32),
            atlas.rgb,
            atlas.kind,
        )

    def _vertex_normals(self) -> np.ndarray:
        """Normals of all corners; smooth corners at one place average those that are not across a crease."""
        sizes = [len(points) for points in self._points]
        own = np.repeat(np.stack(self._normals), sizes, axis=0)
        smooth = np.flatnonzero(np.repeat(self._smooth, sizes))
        places = np.round(np.concatenate(self._points)[smooth] * 1000).astype(np.int64)
        _, place = np.unique(places, axis=0, return_inverse=True)
        order = np.argsort(place.ravel(), kind="stable")
        corner, place = smooth[order], place.ravel()[order]
        total = own.copy()
        shift = 1
        while shift < len(corner) and (same := place[shift:] == place[:-shift]).any():  # pairs of corners at one place
            a, b = corner[:-shift][same], corner[shift:][same]
            near = (own[a] * own[b]).sum(axis=1) > _CREASE_COSINE
            np.add.at(total, a[near], own[b[near]])
            np.add.at(total, b[near], own[a[near]])
            shift += 1
        return total / np.linalg.norm(total, axis=1, keepdims=True)


def _normal(points: np.ndarray) -> np.ndarray | None:
    """Unit normal of a polygon by Newell's method (right for slightly bent ones too), None when it has no area."""
    x = y = z = 0.0
    corners = points.tolist()
    for (ax, ay, az), (bx, by, bz) in zip(corners, [*corners[1:], corners[0]], strict=True):
        x += ay * bz - az * by
        y += az * bx - ax * bz
        z += ax * by - ay * bx
    length = (x * x + y * y + z * z) ** 0.5
    return np.array([x, y, z]) / length if length > 1e-9 else None
