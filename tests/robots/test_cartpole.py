"""The cartpole against its equations of motion."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt

import numpy as np
import pytest

from robots.robot_env import RobotEnv
from robots.simulated import SimulatedRobot
from robots.spec import load_robot
from robots.task import Start

CART, POLE, HALF, ROD = 1.0, 0.1, 0.5, 0.1 / 12
"""Masses [kg], half the rod's length [m], its inertia about its middle [kg·m²]."""


@pytest.fixture
def robot() -> Iterator[SimulatedRobot]:
    robot = SimulatedRobot(load_robot("cartpole")[0])
    robot.write("joint", "pole", "viscous", 0.0)
    yield robot
    robot.close()


def test_a_hanging_pole_on_a_free_cart_swings_with_their_common_period(robot: SimulatedRobot) -> None:
    robot.start(Start([0.0, pi + 0.05]), np.random.default_rng(0))
    angle = []
    for _ in range(600):
        robot.step([0.0])
        angle.append(robot.view.joint_pos_of("pole") - pi)
    pos = np.array(angle)
    falls = np.flatnonzero((pos[:-1] > 0) & (pos[1:] <= 0))
    times = falls + pos[falls] / (pos[falls] - pos[falls + 1])
    moment = POLE * HALF
    stiffness, inertia = (CART + POLE) * 9.81 * moment, (CART + POLE) * (ROD + POLE * HALF**2) - moment**2
    assert np.diff(times).mean() * 0.02 == pytest.approx(2 * pi * sqrt(inertia / stiffness), rel=3e-3)


def test_a_force_moves_cart_and_pole_as_lagrange_says(robot: SimulatedRobot) -> None:
    robot.start(Start([0.0, 0.0]), np.random.default_rng(0))
    robot.bank.hold([5.0], 1)
    robot.world.run(robot.bank.torque, 1)
    mass = np.array([[CART + POLE, POLE * HALF], [POLE * HALF, ROD + POLE * HALF**2]])
    acceleration = np.divide(robot.world.joint_vel, robot.physics_dt)
    assert acceleration == pytest.approx(np.linalg.solve(mass, [5.0, 0.0]), rel=1e-3)


def test_its_signals_are_cart_and_pole(robot: SimulatedRobot) -> None:
    for signal in robot.contract.signals:
        robot.write("signal", signal.name, "noise", 0.0)
    robot.write("joint", "pole", "encoder_offset", 0.1)
    robot.start(Start([0.3, 1.0], [0.2, -0.4]), np.random.default_rng(0))
    assert robot.observe({}) == pytest.approx([0.3, 0.2, np.cos(1.1), np.sin(1.1), -0.4])


def test_it_has_two_tasks_and_balancing_ends_with_a_fall() -> None:
    env = RobotEnv("cartpole", task="balance")
    env.reset(seed=0)
    for _ in range(100):
        _, reward, terminated, truncated, _ = env.step(np.zeros(1, dtype=np.float32))
        assert 0 <= reward <= 1
        if terminated:
            break
    assert terminated
    assert not truncated
    assert not env.success
    env.close()
