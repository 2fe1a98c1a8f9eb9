from __future__ import annotations

from math import exp
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.task import GoalEpisode
from robots.tasks.track_target import TrackTarget, TrackTargetEpisode

DT = 0.02


def drawn(task: TrackTarget, joints: int = 1, seed: int = 0) -> TrackTargetEpisode:
    return task.begin(np.random.default_rng(seed), seen([0.0] * joints))


def seen(joint_pos: list[float], action: list[float] | None = None) -> Any:
    """A robot as far as this task looks at it."""
    return SimpleNamespace(
        control_dt=DT, joint_count=len(joint_pos), joint_pos=joint_pos, last_action=action or [0.0] * len(joint_pos)
    )


def targets(episode: TrackTargetEpisode) -> list[float]:
    return [episode.command_signals(step, seen([0.0]))["joint_pos_target"][0] for step in range(episode.horizon + 1)]


def test_the_target_jumps_at_the_hold_time_only_and_lasts_to_the_final_observation() -> None:
    shown = targets(drawn(TrackTarget(episode_time=0.1, hold_time=0.04)))
    assert shown[0] == shown[1] != shown[2] == shown[3] != shown[4] == shown[5]


@pytest.mark.parametrize(("episode_time", "hold_time", "steps"), [(2.0, 1.0, 100), (0.1, 5.0, 5), (0.001, 0.001, 1)])
def test_an_episode_has_at_least_one_step_and_one_target(episode_time: float, hold_time: float, steps: int) -> None:
    task = TrackTarget(episode_time=episode_time, hold_time=hold_time)
    assert task.horizon(DT) == drawn(task).horizon == steps
    assert len(targets(drawn(task))) == steps + 1


def test_targets_and_starts_follow_the_settings() -> None:
    task = TrackTarget(target_range=(0.2, 0.4), start_pos_std=0.1)
    episodes = [drawn(task, joints=2, seed=seed) for seed in range(500)]
    shown = np.array([episode.command_signals(0, seen([0.0, 0.0]))["joint_pos_target"] for episode in episodes])
    starts = np.array([episode.start.joint_offset for episode in episodes])
    assert shown.shape == starts.shape == (500, 2)
    assert 0.2 <= shown.min() < 0.21 < 0.39 < shown.max() <= 0.4
    assert starts.std() == pytest.approx(0.1, rel=0.1)


def test_the_reward_is_mean_closeness_less_effort() -> None:
    task = TrackTarget(sharpness=4.0, effort_weight=0.1, target_range=(1.0, 1.0))
    episode = drawn(task, joints=2)
    assert episode.reward(1, seen([1.0, 1.0])) == 1.0
    assert episode.reward(1, seen([1.0, 0.5], [1.0, 0.0])) == pytest.approx((1 + exp(-1)) / 2 - 0.1)


def test_a_step_is_judged_against_the_target_shown_before_it() -> None:
    episode = drawn(TrackTarget(episode_time=0.1, hold_time=0.04))
    first, second = targets(episode)[0], targets(episode)[2]
    assert episode.reward(2, seen([first])) == 1.0
    assert episode.reward(3, seen([second])) == 1.0
    assert episode.success(2, seen([first]))
    assert not episode.success(2, seen([first + 0.2]))


def test_every_joint_has_to_be_on_target() -> None:
    episode = drawn(TrackTarget(target_range=(1.0, 1.0), success_error=0.15), joints=2)
    assert episode.success(1, seen([1.1, 0.9]))
    assert not episode.success(1, seen([1.0, 0.8]))


def test_a_goal_earns_what_reaching_it_would_have_earned() -> None:
    episode = drawn(TrackTarget(sharpness=4.0), joints=2)
    assert isinstance(episode, GoalEpisode)
    assert episode.achieved_goal(seen([0.3, 0.4])) == [0.3, 0.4]
    goal = TrackTarget(sharpness=4.0, effort_weight=0.0).goal()
    assert goal is not None
    rewards = goal.reward(np.array([[1.0, 0.5], [1.0, 1.0]]), np.array([1.0, 1.0]))
    assert rewards == pytest.approx([(1 + exp(-1)) / 2, 1.0])
    assert TrackTarget(effort_weight=0.1).goal() is None


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'hold_time'"):
        TrackTarget.parse({"hold_tme": 1.0})
