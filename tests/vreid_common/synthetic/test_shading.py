import numpy as np
import pytest

from vreid_common.synthetic.camera import Camera
from vreid_common.synthetic.charts import Charts, Kind, to_linear
from vreid_common.synthetic.mesh import MeshBuilder
from vreid_common.synthetic.raster import Buffers, rasterize
from vreid_common.synthetic.shading import Light, Wear, shade

_GRAY = (140, 140, 140)


def _light(direction, sun=1.0, sky=0.0, ground=0.0):
    direction = np.array(direction, dtype=float)
    return Light(direction / np.linalg.norm(direction), np.full(3, sun), np.full(3, sky), np.full(3, ground))


def _roof_seen_from_above(light, kind=Kind.MATTE, wear=None, eye=(0.0, 0.001, 8.0)):
    """Linear colour of a flat 2 m × 2 m panel one metre above the ground, (H, W, 4)."""
    builder = MeshBuilder(Charts())
    builder.polygon([(-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)], builder.charts.swatch(_GRAY, kind), (0, 0, 1))
    mesh = builder.build()
    eye = np.array(eye)
    camera = Camera.look_at(eye, np.array([0, 0, 1.0]), 60.0)
    screen, depth = camera.project(mesh.vertices)
    buffers = Buffers.empty(40, 40)
    rasterize(buffers, screen + 20, depth, mesh.triangles)
    out = np.zeros((40, 40, 4), dtype=np.float32)
    shade(mesh, buffers, eye, light, light.direction, wear or Wear(), out)
    assert (out[..., 3] == (buffers.face >= 0)).all()
    return out


@pytest.mark.parametrize("angle", [0, 60, 89])
def test_matte_surface_follows_lambert_and_blinn_phong(angle):
    light = _light((np.sin(np.radians(angle)), 0, np.cos(np.radians(angle))))
    color = _roof_seen_from_above(light)[20, 20, :3]
    half_way = np.cos(np.radians(angle / 2))  # the eye is straight above
    highlight = 0.06 * half_way**8
    assert color == pytest.approx(to_linear(_GRAY) * np.cos(np.radians(angle)) + highlight, rel=0.02)


def test_sky_lights_what_looks_up_and_the_sun_below_the_horizon_nothing():
    assert _roof_seen_from_above(_light((1, 0, -1), sky=0.8))[20, 20, 0] == pytest.approx(to_linear(_GRAY)[0] * 0.8, rel=1e-3)
    assert _roof_seen_from_above(_light((1, 0, -1)))[20, 20, 0] == 0


def test_highlight_of_paint_is_where_the_mirror_direction_is():
    light = _light((-1, 0, 1.2))
    mirrored = _roof_seen_from_above(light, Kind.PAINT, eye=(6.0, 0.0, 1 + 6 * 1.2))[20, 20, 0]
    elsewhere = _roof_seen_from_above(light, Kind.PAINT, eye=(-6.0, 0.0, 1 + 6 * 1.2))[20, 20, 0]
    assert mirrored > elsewhere + 0.3


def test_dirt_follows_its_seed_and_dents_show_where_they_are():
    light = _light((1, 0, 1), sky=0.3)
    clean = _roof_seen_from_above(light, Kind.PAINT)
    dirty = [_roof_seen_from_above(light, Kind.PAINT, Wear(dirt=0.9, dirt_seed=s)) for s in (1, 1, 2000)]
    assert (dirty[0] == dirty[1]).all()
    assert (dirty[0] != dirty[2]).any()
    panel = clean[..., 3] == 1
    assert dirty[0][panel].std(axis=0).max() > 3 * clean[panel].std(axis=0).max()
    dented = _roof_seen_from_above(light, Kind.PAINT, Wear(dents=np.array([[0.5, 0.0, 1.0, 0.3, 1.0]])))
    changed = np.abs(dented - clean).max(axis=2) > 0.01
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert np.ptp(rows) < 8  # 0.6 m at 60 / 7 pixels a metre
    assert np.ptp(columns) < 8
