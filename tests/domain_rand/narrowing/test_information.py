"""Information against its closed form, and the pair that no fit can separate."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.narrowing.information import fisher, inform, jacobian
from domain_rand.narrowing.prior import UNIFORM_SD

TIME = np.linspace(0.0, 1.0, 30)


def test_slopes_and_information_of_a_line_are_exact() -> None:
    slopes = np.stack([TIME, np.ones_like(TIME)], -1)

    def predict(points: np.ndarray) -> np.ndarray:
        return (points @ slopes.T)[..., None]

    at, found = jacobian(predict, np.array([0.3, 1.0]))  # the second on the face of the cube
    assert at[:, 0] == pytest.approx(slopes @ [0.3, 1.0])
    assert found[:, 0] == pytest.approx(slopes)
    assert fisher(found, np.array([[0.04]])) == pytest.approx(slopes.T @ slopes / 0.04)
    known = inform(("a", "b"), slopes.T @ slopes / 0.04)
    exact = np.linalg.inv(slopes.T @ slopes / 0.04 + 12 * np.eye(2))
    assert known.together == pytest.approx(np.sqrt(np.diagonal(exact)) / UNIFORM_SD)
    assert known.correlation[0, 1] == pytest.approx(exact[0, 1] / np.sqrt(exact[0, 0] * exact[1, 1]))


def pendulum(points: np.ndarray) -> np.ndarray:
    """Angle of a point mass under torque scale, mass, length-free friction: m·q̈ = k·u − m·g·sin q − b·q̇, Euler."""
    k, m, b, _unused = 0.5 + points.T
    dt = 0.01
    angles = np.full((len(points), 30), 0.3)
    speeds = np.zeros((len(points), 30))
    for step in range(40):
        torque = 2 * np.sin(0.2 * step + np.arange(30))
        speeds = speeds + dt * ((k / m)[:, None] * torque - 9.81 * np.sin(angles) - (b / m)[:, None] * speeds)
        angles = angles + dt * speeds
    return angles[..., None]


def test_torque_scale_mass_and_friction_of_a_point_mass_hide_each_other() -> None:
    _, slopes = jacobian(pendulum, np.full(4, 0.5))
    known = inform(("gain", "mass", "friction", "nothing"), fisher(slopes, np.array([[1e-6]])))
    assert {known.verdict(name) for name in ("gain", "mass", "friction")} == {"confounded"}
    assert known.verdict("nothing") == "blind"
    assert {pair[:2] for pair in known.pairs} == {("gain", "mass"), ("gain", "friction"), ("mass", "friction")}
    assert all(pair[2] > 0.99 for pair in known.pairs)
    # with the mass on the scales, the rest is known
    rest = inform(("gain", "friction"), fisher(slopes[..., [0, 2]], np.array([[1e-6]])))
    assert [rest.verdict(name) for name in rest.names] == ["identified", "identified"]
    assert not rest.pairs


def test_too_much_noise_leaves_everything_blind() -> None:
    _, slopes = jacobian(pendulum, np.full(4, 0.5))
    known = inform(("gain", "mass", "friction", "nothing"), fisher(slopes, np.array([[1e4]])))
    assert {known.verdict(name) for name in known.names} == {"blind"}
    assert known.alone == pytest.approx(np.ones(4), abs=0.1)
