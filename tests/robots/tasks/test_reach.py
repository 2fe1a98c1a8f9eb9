from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robots.goals import GoalReward, Sector
from robots.robot_env import RobotEnv
from robots.task import GoalEpisode
from robots.tasks.reach import Reach, ReachEpisode

SECTOR = Sector(radius=(0.3, 0.6), azimuth=(-1.0, 1.0), height=(0.2, 0.8))


def seen(tool: list[float] | None = None) -> Any:
    """A robot as far as this task looks at it."""
    return SimpleNamespace(control_dt=0.02, joint_count=7, link_pos_world=lambda link: {"tip": tool}[link])


def settled(**settings: Any) -> Reach:
    return Reach(tool="tip", goals=SECTOR, **settings)


def drawn(seed: int = 0, **settings: Any) -> ReachEpisode:
    return settled(**settings).begin(np.random.default_rng(seed), seen())


def goal_of(episode: ReachEpisode) -> list[float]:
    return list(episode.command_signals(0, seen())["tool_pos_goal"])


def test_an_episode_has_one_goal_of_its_own() -> None:
    episode = drawn(episode_time=0.1)
    assert episode.horizon == 5
    assert all(list(episode.command_signals(step, seen())["tool_pos_goal"]) == goal_of(episode) for step in range(6))
    assert goal_of(drawn(seed=1)) != goal_of(episode) == goal_of(drawn())


def test_the_reward_is_that_of_the_tool_s_distance() -> None:
    episode = drawn(goal_reward=GoalReward(success_distance=0.05, margin=0.2))
    x, y, z = goal_of(episode)
    assert episode.reward(1, seen([x, y, z + 0.04])) == 1.0
    assert episode.reward(1, seen([x, y, z + 0.25])) == pytest.approx(0.1)
    assert episode.success(1, seen([x, y, z + 0.04]))
    assert not episode.success(1, seen([x, y, z + 0.06]))
    assert not episode.terminated(1, seen([x, y, z]))


@pytest.mark.parametrize("sparse", [False, True])
def test_an_achieved_goal_would_have_been_a_success(sparse: bool) -> None:
    episode = drawn(goal_reward=GoalReward(sparse=sparse))
    assert isinstance(episode, GoalEpisode)
    goal = settled(goal_reward=GoalReward(sparse=sparse)).goal()
    achieved = np.array(episode.achieved_goal(seen([0.4, 0.1, 0.5])))
    best = goal.reward(achieved, achieved)
    assert best == episode.reward(1, seen(goal_of(episode))) == (0.0 if sparse else 1.0)
    assert goal.reward(achieved, np.array(goal_of(episode))) == pytest.approx(episode.reward(1, seen([0.4, 0.1, 0.5])))


def test_a_goal_may_end_an_episode_instead_of_being_held() -> None:
    reward = GoalReward(sparse=True, ends_episode=True)
    episode, goal = drawn(goal_reward=reward), settled(goal_reward=reward).goal()
    x, y, z = desired = goal_of(episode)
    for tool, over in (([x, y, z + 0.04], True), ([x, y, z + 0.06], False)):
        assert episode.terminated(1, seen(tool)) is over
        assert bool(goal.ends(np.array(tool), np.array(desired))) is over
        assert not settled().goal().ends(np.array(tool), np.array(desired))


def test_a_hidden_goal_lies_at_the_world_s_azimuth_and_is_not_shown() -> None:
    task = Reach(tool="tip", goals=Sector(radius=(0.5, 0.5), azimuth=(-1.0, 1.0), height=(0.3, 0.3)), hidden=True)
    assert task.signals(7) == {}
    assert task.goal() is None
    robot = seen([0.0, 0.5, 0.3])
    for azimuth, there in ((np.pi / 2, True), (0.0, False)):
        robot.goal = SimpleNamespace(heading=azimuth)
        episode = task.begin(np.random.default_rng(0), robot)
        assert episode.command_signals(0, robot) == {}
        assert episode.success(1, robot) is there


@pytest.mark.parametrize("azimuth", [-1.3, -0.5, 0.7, 1.3])
def test_the_kuka_s_hidden_goals_pay_nothing_at_rest_and_are_found_by_turning_the_base(azimuth: float) -> None:
    env = RobotEnv("kuka", task="find_on_arc_sparse")
    paid = []
    for turned in (0.0, azimuth):
        env.reset(seed=0, options={"params": {"goal_heading": azimuth}, "world": 0})
        action = np.array([turned / 1.4, *[0.0] * 6], np.float32)
        paid.append([env.step(action)[1] for _ in range(90)])
    env.close()
    assert 0.0 <= max(paid[0]) < 1e-3
    assert max(paid[1]) == 1.0
