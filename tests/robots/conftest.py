"""The servo arm as it is: the real contract, the real PyBullet world, closed after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from robots.contract import Contract
from robots.robot_env import RobotEnv
from robots.simulated import SimulatedRobot
from robots.spec import RobotSpec, load_robot


@pytest.fixture(scope="session")
def spec() -> RobotSpec:
    return load_robot("servo_arm")[0]


@pytest.fixture(scope="session")
def contract(spec: RobotSpec) -> Contract:
    return spec.contract


@pytest.fixture(scope="session")
def rewarded() -> Contract:
    """The servo arm's where it reports its reward."""
    return load_robot("servo_arm", "track_rewarded")[0].contract


@pytest.fixture
def robot(spec: RobotSpec) -> Iterator[SimulatedRobot]:
    robot = SimulatedRobot(spec)
    yield robot
    robot.close()


@pytest.fixture
def env() -> Iterator[RobotEnv]:
    env = RobotEnv("servo_arm")
    yield env
    env.close()
