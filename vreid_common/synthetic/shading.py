"""Lights the visible surface: Lambert + sky and ground light + Blinn-Phong highlight + reflected surroundings, dirt and dents.

All vectors are in the mesh's own frame; light is linear RGB. Shape shorthand: H × W pixels, T triangles, V vertices, K kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from vreid_common.jit import compiled
from vreid_common.synthetic.charts import Kind
from vreid_common.synthetic.mesh import Mesh
from vreid_common.synthetic.raster import Buffers
from vreid_common.synthetic.rng import generator

__all__ = ["Light", "Wear", "shade"]

_SHADING = 808  # first number of this module's random stream
_CELLS = 64

_SURFACES = np.zeros((len(Kind), 4), dtype=np.float64)
# Kind → strength of the highlight and log2 of its exponent, share of surroundings mirrored head-on, how much dirt sticks.
_SURFACES[Kind.PAINT] = 0.55, 6, 0.07, 1.0
_SURFACES[Kind.GLASS] = 0.90, 7, 0.12, 0.35
_SURFACES[Kind.LAMP] = 0.80, 6, 0.10, 0.5
_SURFACES[Kind.MATTE] = 0.06, 3, 0.0, 0.8
_SURFACES[Kind.METAL] = 0.85, 5, 0.30, 0.5

_DIRT_RGB = np.array([0.155, 0.115, 0.075])


@dataclass(frozen=True)
class Light:
    """Sun and surroundings in the world's frame.

    Attributes:
        direction: (3,) unit vector towards the sun.
        sun, sky, ground: (3,) linear RGB of the sun's light, of the sky overhead, and of light thrown back by the ground.
    """

    direction: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    ground: np.ndarray

    @property
    def level(self) -> float:
        """Light that falls on level ground, mean of the three colours."""
        return float((self.direction[2] * self.sun + self.sky).mean())


@dataclass(frozen=True)
class Wear:
    """Dirt and dents of one vehicle.

    Attributes:
        dirt: 0 clean … 1 filthy.
        dirt_seed: chooses the pattern.
        dents: (n, 5) x, y, z of the middle, radius in metres and depth of each dent (0.3 light … 1 deep).
    """

    dirt: float = 0.0
    dirt_seed: int = 0
    dents: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)))


def shade(
    mesh: Mesh, buffers: Buffers, eye: np.ndarray, light: Light, direction: np.ndarray, wear: Wear, out: np.ndarray
) -> None:
    """Writes the colour of every pixel at which ``mesh``, drawn last into ``buffers``, is seen.

    Args:
        eye: (3,) the camera in the mesh's frame, metres.
        direction: (3,) unit vector towards the sun in the mesh's frame (``light.direction`` turned).
        out: (H, W, 4) float32, changed in place: linear RGB and coverage 1.
    """
    _shade(
        buffers.face, buffers.weights, mesh.triangles, mesh.vertices, mesh.normals, mesh.uv, mesh.rgb, mesh.kind,
        _SURFACES, _dirt_pattern(), _DIRT_RGB, np.asarray(eye, dtype=np.float64), np.asarray(direction, dtype=np.float64),
        light.sun, light.sky, light.ground, wear.dirt, wear.dirt_seed, wear.dents, out,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _dirt_pattern() -> np.ndarray:
    """Blotches of dirt, (64, 64, 64) float32 uniform in 0..1, repeating every 4 metres along each axis."""
    white = generator(0, _SHADING).standard_normal((_CELLS,) * 3)
    blotches = sum(f / f.std() for f in (gaussian_filter(white, sigma, mode="wrap") for sigma in (0.8, 3.0)))
    ranks = np.empty(blotches.size, dtype=np.float32)
    ranks[np.argsort(blotches, axis=None, kind="stable")] = np.linspace(0, 1, blotches.size, dtype=np.float32)
    return ranks.reshape(blotches.shape)


@compiled(error_model="numpy")
def _shade(
    face, weights, triangles, vertices, normals, uv, rgb, kind, surfaces, pattern, dirt_rgb, eye, to_sun, sun, sky, ground,
    dirt, dirt_seed, dents, out,
):  # fmt: skip  # compiled, see shade()
    height, width = face.shape
    atlas_height, atlas_width = kind.shape
    lx, ly, lz = to_sun
    shift_x, shift_y = dirt_seed & 63, (dirt_seed >> 6) & 63
    for row in range(height):
        for column in range(width):
            if face[row, column] < 0:
                continue
            # Unsigned indices need no test for negative ones, which costs as much as the interpolation.
            t = np.uint32(face[row, column])
            wb, wc = float(weights[row, column, 0]), float(weights[row, column, 1])
            wa = 1.0 - wb - wc
            a, b, c = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
            px = wa * vertices[a, 0] + wb * vertices[b, 0] + wc * vertices[c, 0]
            py = wa * vertices[a, 1] + wb * vertices[b, 1] + wc * vertices[c, 1]
            pz = wa * vertices[a, 2] + wb * vertices[b, 2] + wc * vertices[c, 2]
            nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]

            # Texture: colour is interpolated, the kind of surface cannot be.
            x = min(max(wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0], 0.0), atlas_width - 1.001)
            y = min(max(wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1], 0.0), atlas_height - 1.001)
            x0, y0 = np.uint32(x), np.uint32(y)
            fx, fy = x - x0, y - y0
            surface = kind[np.uint32(y + 0.5), np.uint32(x + 0.5)]

            for d in range(dents.shape[0]):
                dx, dy, dz = px - dents[d, 0], py - dents[d, 1], pz - dents[d, 2]
                r2 = (dx * dx + dy * dy + dz * dz) / (dents[d, 3] * dents[d, 3])
                if r2 < 1.0:  # a bowl: normals lean towards its middle
                    lean = 2.2 * dents[d, 4] * (1.0 - r2) / dents[d, 3]
                    nx, ny, nz = nx - lean * dx, ny - lean * dy, nz - lean * dz

            length = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
            nx, ny, nz = nx * length, ny * length, nz * length
            vx, vy, vz = eye[0] - px, eye[1] - py, eye[2] - pz
            length = 1.0 / np.sqrt(vx * vx + vy * vy + vz * vz)
            vx, vy, vz = vx * length, vy * length, vz * length
            facing = max(nx * vx + ny * vy + nz * vz, 0.0)
            lambert = max(nx * lx + ny * ly + nz * lz, 0.0)
            up = 0.5 + 0.5 * nz
            occlusion = min(1.0, 0.35 + 1.3 * pz)  # little light gets below the sills

            highlight = 0.0
            if lambert > 0.0:
                hx, hy, hz = vx + lx, vy + ly, vz + lz
                highlight = max(nx * hx + ny * hy + nz * hz, 0.0) / (np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
                for _ in range(int(surfaces[surface, 1])):
                    highlight *= highlight
                highlight *= surfaces[surface, 0]

            # What a mirror would show: bright horizon, sky above, ground below. Schlick's Fresnel term.
            mirror = surfaces[surface, 2]
            if mirror > 0.0:
                grazing = 1.0 - facing
                mirror = mirror + (0.75 - mirror) * grazing * grazing * grazing * grazing * grazing
            reflected_up = 2.0 * facing * nz - vz
            blend = min(max(reflected_up * 6.0 + 0.5, 0.0), 1.0)
            zenith = 1.25 - 0.6 * max(reflected_up, 0.0)

            film = 0.0
            soiled = 0.8 * max(0.0, 1.0 - pz / 1.3) - 1.35 + 0.8 * dirt
            if soiled > -1.0:  # one cell of the pattern is 1/16 m; indices wrap
                gx, gy, gz = px * 16 + 1024, py * 16 + 1024, pz * 16 + 1024
                ix, iy, iz = np.uint32(gx), np.uint32(gy), np.uint32(gz)
                fa, fb, fc = gx - ix, gy - iy, gz - iz
                blotch = 0.0
                for i in range(8):
                    da, db, dc = i & 1, (i >> 1) & 1, i >> 2
                    weight = (fa if da else 1 - fa) * (fb if db else 1 - fb) * (fc if dc else 1 - fc)
                    blotch += weight * pattern[(ix + da + shift_x) & 63, (iy + db + shift_y) & 63, (iz + dc) & 63]
                film = min(max((blotch + soiled) * 1.8, 0.0), 0.7) * surfaces[surface, 3]
            clean = 1.0 - film

            for i in range(3):
                albedo = (1 - fy) * ((1 - fx) * rgb[y0, x0, i] + fx * rgb[y0, x0 + 1, i]) + fy * (
                    (1 - fx) * rgb[y0 + 1, x0, i] + fx * rgb[y0 + 1, x0 + 1, i]
                )
                albedo += film * (dirt_rgb[i] - albedo)
                ambient = (up * sky[i] + (1.0 - up) * ground[i]) * occlusion
                around = blend * sky[i] * zenith + (1.0 - blend) * ground[i] * 0.8
                out[row, column, i] = albedo * (1.0 - mirror * clean) * (lambert * sun[i] + ambient) + clean * (
                    highlight * sun[i] + mirror * around
                )
            out[row, column, 3] = 1.0
