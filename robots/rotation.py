"""Rotations of single vectors with unit quaternions (x, y, z, w), in plain floats: NumPy costs more than the maths."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, cos, sin

Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]
Matrix = tuple[Vec3, Vec3, Vec3]

IDENTITY: Quat = (0.0, 0.0, 0.0, 1.0)


def rotate(quat_xyzw: Sequence[float], vector: Sequence[float]) -> Vec3:
    """Return `vector` turned by the quaternion: from the body's frame to the world's."""
    x, y, z, w = quat_xyzw
    a, b, c = vector
    # v + 2 w (u × v) + 2 u × (u × v), with u the vector part
    p, q, r = 2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)
    return a + w * p + y * r - z * q, b + w * q + z * p - x * r, c + w * r + x * q - y * p


def rotate_back(quat_xyzw: Sequence[float], vector: Sequence[float]) -> Vec3:
    """Return `vector` turned by the inverse quaternion: from the world's frame to the body's."""
    x, y, z, w = quat_xyzw
    return rotate((-x, -y, -z, w), vector)


def matrix(quat_xyzw: Sequence[float]) -> Matrix:
    """Return the rotation as its columns, the body's axes in the world's frame: for turning several vectors back."""
    x, y, z, w = quat_xyzw
    a, b, c = x + x, y + y, z + z
    xx, yy, zz, xy, xz, yz, wx, wy, wz = x * a, y * b, z * c, x * b, x * c, y * c, w * a, w * b, w * c
    return (1.0 - yy - zz, xy + wz, xz - wy), (xy - wz, 1.0 - xx - zz, yz + wx), (xz + wy, yz - wx, 1.0 - xx - yy)


def turn_back(columns: Matrix, vector: Sequence[float]) -> Vec3:
    """Return `vector` seen from the body whose axes are the columns."""
    (a, b, c), (d, e, f), (g, h, i) = columns
    x, y, z = vector
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


def multiply(left: Sequence[float], right: Sequence[float]) -> Quat:
    """Return the rotation that turns by `right` first, then by `left`."""
    a, b, c, d = left
    e, f, g, h = right
    return (
        d * e + a * h + b * g - c * f,
        d * f - a * g + b * h + c * e,
        d * g + a * f - b * e + c * h,
        d * h - a * e - b * f - c * g,
    )


def inverse(quat_xyzw: Sequence[float]) -> Quat:
    """Return the opposite rotation."""
    x, y, z, w = quat_xyzw
    return -x, -y, -z, w


def cross(left: Sequence[float], right: Sequence[float]) -> Vec3:
    """Return the vector product."""
    a, b, c = left
    d, e, f = right
    return b * f - c * e, c * d - a * f, a * e - b * d


def from_yaw(yaw: float) -> Quat:
    """Return the rotation by `yaw` [rad] about the upward axis."""
    return 0.0, 0.0, sin(yaw / 2), cos(yaw / 2)


def yaw_of(quat_xyzw: Sequence[float]) -> float:
    """Return the heading [rad] in (−π, π] of the rotated x axis."""
    x, y, z, w = quat_xyzw
    return atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
