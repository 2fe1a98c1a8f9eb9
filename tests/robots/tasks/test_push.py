from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robots.goals import GoalReward, Sector
from robots.task import GoalEpisode
from robots.tasks.push import Push, PushEpisode

SECTOR = Sector(radius=(0.4, 0.6), azimuth=(-0.5, 0.5))


def seen(puck: tuple[float, float] = (0.0, 0.0), tool: tuple[float, float, float] = (9.0, 9.0, 9.0)) -> Any:
    """A robot as far as this task looks at it."""
    return SimpleNamespace(
        control_dt=0.02,
        joint_count=7,
        link_pos_world=lambda link: {"tip": tool}[link],
        object_pos_world=lambda name: {"puck": (*puck, 0.04)}[name],
    )


def settled(**settings: Any) -> Push:
    return Push(tool="tip", places=SECTOR, **settings)


def drawn(seed: int = 0, **settings: Any) -> PushEpisode:
    return settled(**settings).begin(np.random.default_rng(seed), seen())


def goal_of(episode: PushEpisode) -> tuple[float, float]:
    x, y = episode.command_signals(0, seen())["object_pos_goal"]
    return x, y


def test_the_object_starts_on_the_floor_and_away_from_its_goal() -> None:
    episodes = [drawn(seed, goal_distance=0.15) for seed in range(200)]
    places = np.array([episode.start.objects["puck"][0] for episode in episodes])
    goals = np.array([goal_of(episode) for episode in episodes])
    assert np.all(places[:, 2] == 0.04)
    assert np.linalg.norm(places[:, :2] - goals, axis=1).min() >= 0.15
    assert len({tuple(place) for place in places}) == 200


def test_places_too_narrow_for_the_distance_are_refused() -> None:
    with pytest.raises(ValueError, match="no two points 2.0 m apart; widen it"):
        drawn(goal_distance=2.0)


def test_being_at_the_object_fills_up_some_of_what_is_missing() -> None:
    episode = drawn(goal_reward=GoalReward(margin=0.2), approach_share=0.2)
    x, y = goal_of(episode)
    assert episode.reward(1, seen((x, y))) == 1.0
    assert episode.reward(1, seen((x, y), tool=(x, y, 0.1))) == 1.0
    far, near = seen((x + 0.25, y)), seen((x + 0.25, y), tool=(x + 0.25, y, 0.1))
    assert episode.reward(1, far) == pytest.approx(0.1)
    assert episode.reward(1, near) == pytest.approx(0.1 + 0.2 * 0.9)
    assert not episode.terminated(1, far)


@pytest.mark.parametrize("sparse", [False, True])
def test_an_achieved_goal_would_have_been_a_success(sparse: bool) -> None:
    reward = GoalReward(sparse=sparse)
    episode, goal = drawn(goal_reward=reward, approach_share=0), settled(goal_reward=reward, approach_share=0).goal()
    assert isinstance(episode, GoalEpisode)
    assert goal is not None
    assert tuple(episode.achieved_goal(seen((0.5, 0.1)))) == (0.5, 0.1)
    achieved, desired = np.array([0.5, 0.1]), np.array(goal_of(episode))
    best = goal.reward(achieved, achieved)
    assert best == episode.reward(1, seen(goal_of(episode))) == (0.0 if sparse else 1.0)
    assert episode.success(1, seen(goal_of(episode)))
    assert goal.reward(achieved, desired) == pytest.approx(episode.reward(1, seen((0.5, 0.1))))


def test_what_is_also_paid_for_the_approach_is_not_paid_by_its_goal_alone() -> None:
    assert settled().goal() is None
    assert settled(goal_reward=GoalReward(sparse=True)).goal() is not None


def test_a_sparse_reward_says_nothing_about_the_approach() -> None:
    episode = drawn(goal_reward=GoalReward(sparse=True))
    assert episode.reward(1, seen((0.9, 0.9), tool=(0.9, 0.9, 0.1))) == -1.0
