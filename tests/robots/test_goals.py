from __future__ import annotations

import numpy as np
import pytest

from robots.goals import GoalReward, Sector, distance_between

REWARDS = [GoalReward(success_distance=0.05, margin=0.4), GoalReward(sparse=True)]


def test_a_sector_draws_inside_itself_and_evenly() -> None:
    sector = Sector(radius=(0.3, 0.6), azimuth=(-0.5, 1.0), height=(0.1, 0.2))
    points = np.array([sector.draw(rng) for rng in [np.random.default_rng(0)] for _ in range(4000)])
    radius, azimuth = np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])
    assert 0.3 <= radius.min() < 0.31 < 0.59 < radius.max() <= 0.6
    assert -0.5 <= azimuth.min() < -0.49 < 0.99 < azimuth.max() <= 1.0
    assert 0.1 <= points[:, 2].min() < points[:, 2].max() <= 0.2
    # as many points inside as outside the radius that halves the area
    assert np.mean(radius < np.sqrt((0.3**2 + 0.6**2) / 2)) == pytest.approx(0.5, abs=0.03)


def test_a_margin_beyond_success_earns_a_tenth() -> None:
    dense = REWARDS[0]
    assert dense.of(0.0) == dense.of(0.05) == 1.0
    assert dense.of(0.45) == pytest.approx(0.1)
    assert 0.0 < dense.of(2.0) < 1e-10


def test_a_sparse_reward_is_zero_or_minus_one() -> None:
    sparse = REWARDS[1]
    assert [sparse.of(distance) for distance in (0.0, 0.05, 0.0501, 3.0)] == [0.0, 0.0, -1.0, -1.0]


@pytest.mark.parametrize("reward", REWARDS, ids=["dense", "sparse"])
@pytest.mark.parametrize("axes", [2, 3])
def test_relabelled_goals_earn_what_the_simulation_gives(reward: GoalReward, axes: int) -> None:
    achieved, desired = np.random.default_rng(1).uniform(-0.2, 0.2, size=(2, 50, axes))
    one_by_one = [reward.of(distance_between(a, d)) for a, d in zip(achieved, desired, strict=True)]
    assert reward.between(achieved, desired) == pytest.approx(one_by_one)
    assert reward.between(achieved[:, None], desired).shape == (50, 50)
    ending = reward.model_copy(update={"ends_episode": True, "success_distance": 0.2})
    over = [ending.over(distance_between(a, d)) for a, d in zip(achieved, desired, strict=True)]
    assert 0 < sum(over) < 50
    assert ending.over_between(achieved, desired).tolist() == over
    assert not reward.over_between(achieved, desired).any()


@pytest.mark.parametrize("reward", REWARDS, ids=["dense", "sparse"])
def test_reaching_what_was_reached_is_worth_most(reward: GoalReward) -> None:
    achieved, desired = np.random.default_rng(2).uniform(-1, 1, size=(2, 100, 3))
    best = reward.between(achieved, achieved)
    assert np.all(best == reward.of(0.0))
    assert np.all(reward.between(achieved, desired) <= best)
