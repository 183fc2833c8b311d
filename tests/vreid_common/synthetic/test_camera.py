import numpy as np
import pytest

from vreid_common.synthetic.camera import Camera, Crop, Pose


def test_cube_lands_where_similar_triangles_say():
    camera = Camera.look_at(np.array([10.0, 0.0, 0.0]), np.zeros(3), focal=100.0)
    cube = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    screen, depth = camera.project(cube)
    # Looking along -x with z up, +y is to the right; rows run down.
    for (x, y, z), (column, row), d in zip(cube, screen, depth, strict=True):
        assert d == pytest.approx(10 - x)
        assert (column, row) == pytest.approx((100 * y / (10 - x), -100 * z / (10 - x)))


def test_target_is_at_the_principal_point_and_the_horizon_is_level():
    eye, target = np.array([3.0, -7.0, 5.0]), np.array([0.5, 2.0, 0.7])
    camera = Camera.look_at(eye, target, 800.0)
    screen, _ = camera.project(target[None])
    assert screen[0] == pytest.approx((0, 0), abs=1e-9)
    assert camera.rotation @ camera.rotation.T == pytest.approx(np.eye(3))
    assert camera.rotation[0, 2] == pytest.approx(0)


def test_looking_straight_down_is_refused():
    with pytest.raises(ValueError, match="straight above"):
        Camera.look_at(np.array([1.0, 1.0, 5.0]), np.array([1.0, 1.0, 0.0]), 100.0)


def test_ground_homography_agrees_with_projection():
    camera = Camera.look_at(np.array([-4.0, 2.0, 6.0]), np.array([8.0, 1.0, 0.5]), 700.0)
    ground = np.random.default_rng(0).uniform(-3, 12, size=(20, 2))
    mapped = np.column_stack([ground, np.ones(20)]) @ camera.ground_homography().T
    screen, depth = camera.project(np.column_stack([ground, np.zeros(20)]))
    assert mapped[:, :2] / mapped[:, 2:] == pytest.approx(screen)
    assert mapped[:, 2] == pytest.approx(depth)


def test_pose_turns_and_moves_and_back():
    pose = Pose(3.0, -2.0, np.pi / 2)
    assert pose.to_world(np.array([[1.0, 0.0, 0.5]]))[0] == pytest.approx((3, -1, 0.5))
    assert pose.to_local(np.array([3.0, -1.0, 0.5])) == pytest.approx((1, 0, 0.5))
    assert pose.direction_to_local(np.array([0.0, 1.0, 0.2])) == pytest.approx((1, 0, 0.2))


def test_crop_and_its_matrix_agree():
    crop = Crop(left=-20.0, top=5.0, scale_x=2.0, scale_y=0.5)
    points = np.array([[-20.0, 5.0], [30.0, 45.0]])
    assert crop.apply(points) == pytest.approx(np.array([[0, 0], [100, 20]]))
    assert (np.column_stack([points, [1, 1]]) @ crop.matrix.T)[:, :2] == pytest.approx(crop.apply(points))
