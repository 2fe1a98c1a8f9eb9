from __future__ import annotations

from collections.abc import Iterator
from math import pi

import numpy as np
import pytest

from robots.robot_env import RobotEnv
from robots.task import Start


@pytest.fixture
def env() -> Iterator[RobotEnv]:
    env = RobotEnv("double_pendulum")
    env.reset(seed=0)
    yield env
    env.close()


def judged(env: RobotEnv, *joint_pos: float, joint_vel: tuple[float, float] = (0.0, 0.0)) -> tuple[float, bool]:
    """Reward and success of standing still at these angles."""
    env.robot.start(Start(joint_offset=joint_pos, joint_vel=joint_vel), np.random.default_rng(0))
    return env.episode.reward(1, env.robot.view), env.episode.success(1, env.robot.view)


def test_standing_earns_one_and_hanging_nothing(env: RobotEnv) -> None:
    assert judged(env, pi, 0.0) == (pytest.approx(1.0), True)
    assert judged(env, 0.0, 0.0) == (pytest.approx(0.0), False)
    assert judged(env, pi, pi) == (pytest.approx(0.5), False)
    assert judged(env, 0.0, pi) == (pytest.approx(0.5), False)


def test_a_turn_more_is_still_up(env: RobotEnv) -> None:
    assert judged(env, -pi, 2 * pi) == (pytest.approx(1.0), True)


def test_speed_and_effort_cost_a_share(env: RobotEnv) -> None:
    assert judged(env, pi, 0.0, joint_vel=(0.0, 15.0))[0] == pytest.approx(0.55)
    judged(env, pi, 0.0)
    env.robot.view.sent_command = [6.0, 0.0]
    assert env.episode.reward(1, env.robot.view) == pytest.approx(0.95)


def test_a_balance_is_lost_when_a_link_falls_and_a_swing_up_never() -> None:
    for task, lost in (("balance", True), ("full", False)):
        env = RobotEnv("double_pendulum", task=task)
        env.reset(seed=0)
        assert env.episode.start.joint_offset[0] == pytest.approx(pi if lost else 0.0, abs=0.3)
        judged(env, pi - 0.5, 1.4)
        assert env.episode.terminated(1, env.robot.view) is lost
        env.close()
