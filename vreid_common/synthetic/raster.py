"""Z-buffer rasteriser: which triangle is seen at which pixel, and where on it.

Shape shorthand: V vertices, T triangles, H × W pixels. A triangle covers a pixel when it covers
the pixel's centre, (column + 0.5, row + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vreid_common.jit import compiled

__all__ = ["Buffers", "rasterize"]


@dataclass(frozen=True)
class Buffers:
    """What is seen so far. ``inverse_depth`` (H, W) float64, 0 is infinitely far; ``face`` (H, W) int32, the triangle of the
    mesh that was drawn last, -1 where it is not seen; ``weights`` (H, W, 2) float32, that pixel's perspective-correct
    barycentric weights of the triangle's second and third corner."""

    inverse_depth: np.ndarray
    face: np.ndarray
    weights: np.ndarray

    @classmethod
    def empty(cls, height: int, width: int) -> Buffers:
        """Buffers in which nothing has been drawn."""
        return cls(
            np.zeros((height, width)), np.full((height, width), -1, np.int32), np.zeros((height, width, 2), dtype=np.float32)
        )


def rasterize(buffers: Buffers, screen: np.ndarray, depth: np.ndarray, triangles: np.ndarray) -> None:
    """Draws one mesh into the buffers: nearer surfaces hide farther ones, whatever the order; back faces are left out.

    Args:
        buffers: changed in place; afterwards ``face`` and ``weights`` are this mesh's, ``inverse_depth`` is everything's.
        screen: (V, 2) float64 column and row in pixels (row down).
        depth: (V,) float64 distance along the optical axis, metres.
        triangles: (T, 3) int32, counter-clockwise seen from outside.

    Raises:
        ValueError: a vertex is not in front of the camera.
    """
    if depth.size and depth.min() <= 1e-3:
        raise ValueError(f"rasterize() needs every vertex in front of the camera, but the nearest is at {depth.min():.3f} m.")
    buffers.face.fill(-1)
    _rasterize(screen, 1.0 / depth, triangles, buffers.inverse_depth, buffers.face, buffers.weights)


@compiled(error_model="numpy")
def _rasterize(screen, inverse, triangles, inverse_depth, face, weights):  # compiled, see rasterize()
    height, width = face.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = screen[a, 0], screen[a, 1]
        bx, by = screen[b, 0] - ax, screen[b, 1] - ay
        cx, cy = screen[c, 0] - ax, screen[c, 1] - ay
        area = bx * cy - by * cx
        if area >= 0:  # rows run down, so a front face runs clockwise on the screen: negative area
            continue
        scale = 1.0 / area
        left = max(0, int(np.ceil(min(0.0, bx, cx) + ax - 0.5)))
        right = min(width - 1, int(np.floor(max(0.0, bx, cx) + ax - 0.5)))
        top = max(0, int(np.ceil(min(0.0, by, cy) + ay - 0.5)))
        bottom = min(height - 1, int(np.floor(max(0.0, by, cy) + ay - 0.5)))
        ia, ib, ic = inverse[a], inverse[b], inverse[c]
        for row in range(top, bottom + 1):
            py = row + 0.5 - ay
            for column in range(left, right + 1):
                px = column + 0.5 - ax
                wb = (px * cy - py * cx) * scale
                wc = (bx * py - by * px) * scale
                if wb < 0 or wc < 0 or wb + wc > 1:
                    continue
                # 1/depth, unlike depth, is linear on the screen.
                z = ia + wb * (ib - ia) + wc * (ic - ia)
                if z > inverse_depth[row, column]:
                    inverse_depth[row, column] = z
                    face[row, column] = t
                    weights[row, column, 0] = wb * ib / z
                    weights[row, column, 1] = wc * ic / z
