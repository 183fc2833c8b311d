import numpy as np
import pytest

from vreid_common.synthetic.charts import Chart, Charts, Kind
from vreid_common.synthetic.mesh import MeshBuilder, facing


def _volume(mesh):
    """Enclosed volume by the divergence theorem: positive when all faces look outwards."""
    a, b, c = (mesh.vertices[mesh.triangles[:, i]].astype(float) for i in range(3))
    return (np.cross(a, b) * c).sum() / 6


def test_box_is_closed_and_faces_outwards():
    builder = MeshBuilder(Charts())
    builder.box((1, 2, 3), (2, 3, 4), builder.charts.swatch((1, 2, 3)))
    assert _volume(builder.build()) == pytest.approx(24, rel=1e-5)


@pytest.mark.parametrize("axis", [(0, 1, 0), (0, -1, 0), (-1, 0, 0)])
def test_cylinder_cap_shows_the_disc_unmirrored(axis):
    charts = Charts()
    charts["wheel"] = Chart((-1, -1), (1, 1), 10)
    builder = MeshBuilder(charts)
    builder.cylinder((0, 0, 1), axis, 0.5, 0.2, "wheel", charts.swatch((0, 0, 0)))
    mesh = builder.build()
    cap = mesh.normals @ np.array(axis) > 0.99
    assert cap.sum() == 16
    up, right = np.array([0, 0, 1.0]), np.cross([0, 0, 1.0], axis)
    offset = mesh.vertices[cap] - mesh.vertices[cap].mean(axis=0)
    assert mesh.uv[cap, 0] == pytest.approx(10 + 10 * (offset @ right) / 0.5 - 0.5, abs=1e-3)
    assert mesh.uv[cap, 1] == pytest.approx(10 - 10 * (offset @ up) / 0.5 - 0.5, abs=1e-3)


def test_normals_are_shared_across_flat_edges_only():
    builder = MeshBuilder(Charts())
    swatch = builder.charts.swatch((0, 0, 0))
    bend = np.radians(20)
    builder.polygon([(-1, 0, 0), (0, 0, 0), (0, 1, 0), (-1, 1, 0)], swatch, (0, 0, 1), smooth=True)
    x, z = np.cos(bend), -np.sin(bend)
    builder.polygon([(0, 0, 0), (x, 0, z), (x, 1, z), (0, 1, 0)], swatch, (0, 0, 1), smooth=True)
    builder.polygon([(0, 0, 0), (0, 0, -1), (0, 1, -1), (0, 1, 0)], swatch, (-1, 0, 0), smooth=True)  # across a sharp edge
    mesh = builder.build()
    on_edge = np.abs(mesh.vertices[:, [0, 2]]).sum(axis=1) < 1e-6
    half = np.array([np.sin(bend / 2), 0, np.cos(bend / 2)])
    assert mesh.normals[on_edge][:4] == pytest.approx(np.tile(half, (4, 1)), abs=1e-6)
    assert mesh.normals[on_edge][4:] == pytest.approx(np.tile([-1.0, 0, 0], (2, 1)), abs=1e-6)


def test_collapsed_polygon_is_dropped():
    builder = MeshBuilder(Charts())
    swatch = builder.charts.swatch((0, 0, 0), Kind.PAINT)
    builder.polygon([(0, 0, 0), (1, 0, 0), (2, 0, 0)], swatch)
    builder.polygon([(0, 0, 0), (1, 0, 0), (0, 1, 0)], swatch)
    assert len(builder.build().triangles) == 1


@pytest.mark.parametrize(
    ("normal", "name"),
    [((0, 1, 0), "left"), ((0, -1, 0), "right"), ((1, 0, 0), "front"), ((-0.5, 0, 0.86), "rear"), ((0.2, 0, 0.98), "top")],
)
def test_facing(normal, name):
    assert facing(np.array(normal)) == name
