"""The quadruped as a whole: it stands, its numbers are its file's, and a soft reset is as good as a new client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from robots.robot_env import RobotEnv
from robots.simulated import SimulatedRobot
from robots.spec import load_robot
from robots.task import Start

FEET = ("FR_toe", "FL_toe", "RR_toe", "RL_toe")


@pytest.fixture
def robot() -> Iterator[SimulatedRobot]:
    robot = SimulatedRobot(load_robot("a1")[0])
    yield robot
    robot.close()


def stand(robot: SimulatedRobot, seconds: float, start: Start | None = None, command: Any = None) -> list[Any]:
    """Hold the default pose; returns everything that moved."""
    robot.start(start or Start(), np.random.default_rng(0))
    command = robot.limiter.last if command is None else command
    for _ in range(round(seconds / robot.contract.control_dt)):
        robot.step(command)
    return [robot.world.states, robot.world.base_state()]


def test_it_stands_still_on_four_feet_under_the_default_pose(robot: SimulatedRobot) -> None:
    stand(robot, 1.0)
    before = robot.view.base_pos_world
    for _ in range(50):
        robot.step(robot.limiter.last)
    view = robot.view
    assert np.abs(np.subtract(view.base_pos_world, before)).max() < 5e-3
    assert view.base_pos_world[2] == pytest.approx(0.255, abs=0.02)
    assert view.projected_gravity == pytest.approx((0, 0, -1), abs=0.05)
    assert np.abs(view.joint_vel).max() < 0.05
    assert all(view.contact(foot) for foot in FEET)
    assert sum(view.contact_force(foot) for foot in FEET) == pytest.approx(total_mass(robot) * 9.81, rel=0.05)


def total_mass(robot: SimulatedRobot) -> float:
    return sum(robot.nominal("link", name, "mass") for name in robot.names("link"))


def test_the_base_is_where_the_file_says_not_at_its_centre_of_mass(robot: SimulatedRobot) -> None:
    robot.start(Start(), np.random.default_rng(0))
    assert robot.view.base_pos_world == pytest.approx((0, 0, 0.28), abs=1e-12)
    assert robot.view.projected_gravity == pytest.approx((0, 0, -1), abs=1e-12)


def test_every_inertia_is_a_possible_one(robot: SimulatedRobot) -> None:
    for name in robot.names("link"):
        a, b, c = sorted(robot.world.inertia(name))
        assert 0 < a <= b <= c <= (a + b) * (1 + 1e-9), name


def test_masses_and_inertias_are_the_file_s(robot: SimulatedRobot) -> None:
    assert robot.nominal("link", "trunk", "mass") == 4.713
    assert robot.nominal("link", "FR_upper", "mass") == 1.013
    assert sum(robot.world.inertia("FR_upper")) == pytest.approx(0.005529065 + 0.005139339 + 0.001367788, rel=2e-3)
    assert total_mass(robot) == pytest.approx(4.713 + 4 * (0.696 + 1.013 + 0.166 + 0.06 + 0.001) + 0.001)


def test_a_soft_reset_is_bit_identical_to_a_new_client(robot: SimulatedRobot) -> None:
    fresh = stand(robot, 1.0, Start(base_turn=(0, 0, 0.6, 0.8)))
    stand(robot, 1.0, Start(base_turn=(1, 0, 0, 0)), [0.3, 0.9, -1.8] * 4)  # on its back, legs in the air
    stand(robot, 0.5, Start(joint_offset=[0.5] * 12, base_ang_vel=(3.0, 1.0, 2.0)))
    assert stand(robot, 1.0, Start(base_turn=(0, 0, 0.6, 0.8))) == fresh


def test_a_push_moves_it(robot: SimulatedRobot) -> None:
    undisturbed = stand(robot, 2.0)
    robot.write("world", "world", "push_force", 60.0)
    robot.write("world", "world", "push_interval", 1.0)
    pushed = stand(robot, 2.0)
    assert np.abs(np.subtract(pushed[1].pos_world, undisturbed[1].pos_world)[:2]).max() > 0.01


def test_a_dead_leg_lets_it_sink(robot: SimulatedRobot) -> None:
    height = stand(robot, 1.0)[1].pos_world[2]
    for joint in ("FR_upper_joint", "FR_lower_joint"):
        robot.write("joint", joint, "strength", 0.0)
    assert stand(robot, 1.0)[1].pos_world[2] < height - 0.01


def test_a_step_costs_no_more_than_it_must() -> None:
    """The reward, the signals and the ending read the base once a control period."""
    env = RobotEnv("a1")
    env.reset(seed=0)
    calls, world = [], env.robot.world
    read = world.base_state
    world.base_state = lambda: calls.append(1) or read()  # type: ignore[func-returns-value, method-assign]
    env.step(np.zeros(12, dtype=np.float32))
    assert len(calls) == 1
    env.close()
