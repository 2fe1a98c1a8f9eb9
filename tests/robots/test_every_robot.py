"""What holds for each robot and each of its tasks, found by folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from domain_rand.parameters import TABLE
from robots.goals import place_of
from robots.robot_env import RobotEnv
from robots.spec import ROBOTS, RobotFile, robot_names
from robots.task import GoalEpisode

PAIRS = [(name, task) for name in robot_names() for task in RobotFile.load(ROBOTS / name / "robot.yaml").tasks]
STEPS = 25


@pytest.fixture(params=PAIRS, ids="/".join)
def env(request: pytest.FixtureRequest) -> Iterator[RobotEnv]:
    robot, task = request.param
    env = RobotEnv(robot, task=task)
    yield env
    env.close()


def play(env: RobotEnv, world: int, seed: int = 0) -> list[Any]:
    """Everything that is observed, earned and true, under actions drawn by the world's index."""
    rng = np.random.default_rng(world)
    rows: list[Any] = [env.reset(seed=seed, options={"world": world})[0].tolist()]
    for _ in range(STEPS):
        observation, reward, terminated, *_ = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
        rows.append([*observation.tolist(), reward, terminated, *env.robot.world.states, *env.robot.world.base_state()])
    return rows


def test_equal_keys_replay_bit_for_bit_after_any_history(env: RobotEnv) -> None:
    first = play(env, 1)
    play(env, 2)
    assert play(env, 1) == first
    assert play(env, 1, seed=5) != first


def test_a_new_client_replays_it_too(env: RobotEnv) -> None:
    first = play(env, 1)
    for world in (2, 3):
        play(env, world)
    other = RobotEnv(env.contract.robot, task=env.spec_of_robot.task.name)
    assert play(other, 3) == play(env, 3)
    assert play(other, 1) == first
    other.close()


def test_it_passes_gymnasium_s_own_check(env: RobotEnv) -> None:
    check_env(env, skip_render_check=True)


def test_rewards_are_bounded_numbers_and_observations_inside_their_ranges(env: RobotEnv) -> None:
    least = -1 - env.task.fall_cost
    for row in play(env, 0)[1:]:
        observation, reward = np.array(row[: env.contract.obs_size], dtype=np.float32), row[env.contract.obs_size]
        assert env.observation_space.contains(observation)
        assert isinstance(reward, float)
        assert least <= reward <= 1


def test_every_quantity_is_read_as_written_and_nominal_comes_back(env: RobotEnv) -> None:
    robot = env.robot
    for row in TABLE.values():
        for name in robot.names(row.group):
            place = (row.group, name, row.field)
            nominal, value = robot.nominal(*place), min(max(0.7, row.low), row.high)
            robot.write(*place, value)
            assert robot.read(*place) == pytest.approx(value), place
            assert robot.nominal(*place) == nominal
            robot.write(*place, nominal)
            assert robot.read(*place) == pytest.approx(nominal, abs=1e-12), place


def test_a_goal_is_shown_and_all_that_is_paid_for_and_reaching_it_is_best(env: RobotEnv) -> None:
    goal = env.task.goal()
    if goal is None:
        pytest.skip("no goal")
    env.reset(seed=0)
    assert isinstance(env.episode, GoalEpisode)
    shown = place_of(goal.signal, env.contract)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        desired = np.array(env.episode.command_signals(step, env.robot.view)[goal.signal])
        observed, reward, terminated, *_ = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
        achieved = np.array(env.achieved_goal)
        assert goal.reward(achieved, desired) == pytest.approx(reward)
        assert bool(goal.ends(achieved, desired)) is terminated
        assert goal.reward(desired, desired) >= reward
    now = env.episode.command_signals(STEPS, env.robot.view)[goal.signal]
    assert observed[shown] == pytest.approx(np.array(now, dtype=np.float32))
