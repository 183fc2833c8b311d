import numpy as np
import pytest

from vreid_common.synthetic.camera import Camera
from vreid_common.synthetic.charts import Charts
from vreid_common.synthetic.mesh import MeshBuilder
from vreid_common.synthetic.raster import Buffers, rasterize


def _ray_cast(points, triangles, camera, offset, height, width):
    """Reference: the nearest triangle that each pixel's ray meets from its front side (Möller-Trumbore), one ray at a time."""
    seen = np.full((height, width), -1)
    for row in range(height):
        for column in range(width):
            ray = camera.rotation.T @ [(column + 0.5 + offset[0]) / camera.focal, (row + 0.5 + offset[1]) / camera.focal, 1.0]
            nearest = np.inf
            for t, (a, b, c) in enumerate(points[triangles]):
                normal = np.cross(b - a, c - a)
                if normal @ ray >= 0:
                    continue
                u, v, distance = np.linalg.solve(np.stack([b - a, c - a, -ray], axis=1), camera.eye - a)
                if u >= 0 and v >= 0 and u + v <= 1 and 0 < distance < nearest:
                    nearest, seen[row, column] = distance, t
    return seen


def _triangles(seed):
    """Triangles that pierce one another, which no order of painting could show."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.5, 1.5, size=(36, 3)), np.arange(36).reshape(12, 3).astype(np.int32)


@pytest.mark.parametrize("seed", range(3))
def test_intersecting_triangles_are_seen_as_by_ray_casting(seed):
    points, triangles = _triangles(seed)
    camera = Camera.look_at(np.array([5.0, 2.0, 3.0]), np.zeros(3), 60.0)
    screen, depth = camera.project(points)
    buffers = Buffers.empty(40, 40)
    rasterize(buffers, screen + 20, depth, triangles)
    expected = _ray_cast(points, triangles, camera, (-20, -20), 40, 40)
    assert (expected >= 0).sum() > 100
    assert (buffers.face == expected).mean() > 0.998  # a ray through an edge may go either way


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearer_of_two_boxes_hides_the_other_in_any_order(near_first):
    camera = Camera.look_at(np.array([10.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), 40.0)
    boxes = []
    for x, size in ((4.0, 1.0), (-4.0, 5.0)):
        builder = MeshBuilder(Charts())
        builder.box((x, 0, 1), (1, size, size), builder.charts.swatch((9, 9, 9)))
        boxes.append(builder.build())
    near, far = boxes
    buffers = Buffers.empty(40, 40)
    seen = {}
    for name, mesh in [("near", near), ("far", far)] if near_first else [("far", far), ("near", near)]:
        screen, depth = camera.project(mesh.vertices)
        rasterize(buffers, screen + 20, depth, mesh.triangles)
        seen[name] = buffers.face >= 0
    assert buffers.inverse_depth[20, 20] == pytest.approx(1 / 5.5)
    assert seen["near"].sum() == pytest.approx((40 / 5.5) ** 2, rel=0.25)
    if near_first:  # drawn second, the far box shows only round the near one
        assert not (seen["near"] & seen["far"]).any()
        assert seen["far"].any()


def test_weights_are_perspective_correct():
    camera = Camera.look_at(np.array([0.0, -6.0, 2.0]), np.array([0.0, 2.0, 0.0]), 50.0)
    points = np.array([(-2.0, -3.0, 0.0), (2.0, -3.0, 0.0), (0.0, 9.0, 0.0)])  # on the ground, far along the view
    screen, depth = camera.project(points)
    buffers = Buffers.empty(60, 60)
    rasterize(buffers, screen + 30, depth, np.array([[0, 1, 2]], dtype=np.int32))
    rows, columns = np.nonzero(buffers.face == 0)
    weights = buffers.weights[rows, columns].astype(float)
    place = (1 - weights.sum(axis=1))[:, None] * points[0] + weights[:, :1] * points[1] + weights[:, 1:] * points[2]
    again, _ = camera.project(place)
    assert again + 30 == pytest.approx(np.stack([columns + 0.5, rows + 0.5], axis=1), abs=1e-3)


def test_back_faces_are_not_drawn():
    camera = Camera.look_at(np.array([0.0, 0.0001, 5.0]), np.zeros(3), 50.0)
    points = np.array([(-1.0, -1.0, 0.0), (1.0, -1.0, 0.0), (0.0, 1.0, 0.0)])
    screen, depth = camera.project(points)
    for order, visible in (([0, 1, 2], True), ([0, 2, 1], False)):  # the first is counter-clockwise seen from above
        buffers = Buffers.empty(30, 30)
        rasterize(buffers, screen + 15, depth, np.array([order], dtype=np.int32))
        assert (buffers.face >= 0).any() == visible


def test_vertex_behind_the_camera_is_refused():
    with pytest.raises(ValueError, match="in front of the camera"):
        rasterize(Buffers.empty(4, 4), np.zeros((3, 2)), np.array([1.0, 2.0, -1.0]), np.array([[0, 1, 2]], dtype=np.int32))
