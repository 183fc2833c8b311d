"""Pinhole camera over the ground plane, and the crop that a detector would cut out of its frame.

World frame of a camera: metres, z up, the road along x. Shape shorthand: N points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vreid_common.jit import compiled

__all__ = ["Camera", "Crop", "Pose"]


@dataclass(frozen=True)
class Pose:
    """Where a mesh stands: ``x``, ``y`` in metres and ``yaw``, radians anti-clockwise from the world's x to the mesh's."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the mesh's frame in world coordinates."""
        return _turn_and_move(points, np.cos(self.yaw), np.sin(self.yaw), self.x, self.y)

    def direction_to_local(self, direction: np.ndarray) -> np.ndarray:
        """A world direction (3,) in the mesh's frame."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([c * direction[0] + s * direction[1], c * direction[1] - s * direction[0], direction[2]])

    def to_local(self, point: np.ndarray) -> np.ndarray:
        """A world point (3,) in the mesh's frame."""
        return self.direction_to_local(np.asarray(point, dtype=np.float64) - [self.x, self.y, 0.0])


@dataclass(frozen=True)
class Crop:
    """Part of a camera's frame from ``left``, ``top`` on, shown with ``scale_x`` × ``scale_y`` pixels for one of it."""

    left: float
    top: float
    scale_x: float
    scale_y: float

    def apply(self, screen: np.ndarray) -> np.ndarray:
        """Frame pixels (N, 2) to pixels of the crop."""
        return _shift_and_scale(screen, self.left, self.top, self.scale_x, self.scale_y)

    @property
    def matrix(self) -> np.ndarray:
        """The same as a (3, 3) homography."""
        return np.array(
            [[self.scale_x, 0, -self.left * self.scale_x], [0, self.scale_y, -self.top * self.scale_y], [0, 0, 1.0]]
        )


@dataclass(frozen=True)
class Camera:
    """Pinhole camera without distortion; the principal point is pixel (0, 0), columns run right and rows down.

    Attributes:
        eye: (3,) position, metres.
        rotation: (3, 3) world to camera: rows are right, down, forward.
        focal: focal length in pixels.
    """

    eye: np.ndarray
    rotation: np.ndarray
    focal: float

    @classmethod
    def look_at(cls, eye: np.ndarray, target: np.ndarray, focal: float) -> Camera:
        """Camera at ``eye`` aimed at ``target``, without roll.

        Raises:
            ValueError: the target lies straight above or below, so that the horizon is undefined.
        """
        eye = np.asarray(eye, dtype=np.float64)
        forward = np.asarray(target, dtype=np.float64) - eye
        right = np.cross(forward, [0.0, 0.0, 1.0])
        if np.linalg.norm(right) < 1e-9:
            raise ValueError("Camera.look_at() needs a target that is not straight above or below the eye.")
        forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
        return cls(eye, np.stack([right, np.cross(forward, right), forward]), focal)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Projects world points (N, 3): (N, 2) frame pixels (column, row) and (N,) depth along the optical axis in metres."""
        return _project(points, self.eye, self.rotation, self.focal)

    def ground_homography(self) -> np.ndarray:
        """(3, 3) matrix that takes ground points (x, y, 1) in metres to homogeneous frame pixels."""
        columns = np.stack([self.rotation[:, 0], self.rotation[:, 1], -self.rotation @ self.eye], axis=1)
        return np.diag([self.focal, self.focal, 1.0]) @ columns


# Compiled loops, not matrix products: faster on small meshes, and the result cannot depend on the BLAS library's blocking.
@compiled()
def _turn_and_move(points, c, s, dx, dy):  # compiled, see Pose.to_world()
    out = np.empty((len(points), 3))
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        out[i, 0], out[i, 1], out[i, 2] = c * x - s * y + dx, s * x + c * y + dy, points[i, 2]
    return out


@compiled()
def _shift_and_scale(screen, left, top, scale_x, scale_y):  # compiled, see Crop.apply()
    out = np.empty_like(screen)
    for i in range(len(screen)):
        out[i, 0], out[i, 1] = (screen[i, 0] - left) * scale_x, (screen[i, 1] - top) * scale_y
    return out


@compiled()
def _project(points, eye, rotation, focal):  # compiled, see Camera.project()
    screen, depth = np.empty((len(points), 2)), np.empty(len(points))
    for i in range(len(points)):
        x, y, z = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        depth[i] = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z
        scale = focal / depth[i]
        for k in range(2):
            screen[i, k] = scale * (rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * z)
    return screen, depth
