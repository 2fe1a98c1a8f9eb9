from __future__ import annotations

import numpy as np
import pytest

from sdk.toys.corner import CORNERS, SPEED, CornerSettings, CornerTrials, pays
from sdk.toys.references.base import Known, play
from sdk.toys.references.corner import Loop, Straight, Visit, references, upper_bound


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    return references(CornerSettings(episodes=2), tasks=5000)


def test_the_straight_walk_is_what_is_published(known: dict[str, Known]) -> None:
    row = known["straight"]
    assert row.per_episode == pytest.approx([2.62] * 2, abs=3 * row.standard_error + 0.005)


def test_a_corner_looked_into_first_is_worth_a_straight_walk_afterwards(known: dict[str, Known]) -> None:
    first, second = known["visit"].per_episode
    straight = known["straight"].per_episode[1]
    assert second == pytest.approx(straight, abs=1e-6)
    assert 0.9 * straight < first < straight


def test_one_corner_is_right_in_one_task_of_four(known: dict[str, Known]) -> None:
    row = known["goal_blind"]
    assert row.total == pytest.approx(known["straight"].total / 4, abs=3 * row.standard_error)
    assert 0 < known["random"].total < row.total


def test_the_published_reward_pays_for_a_loop_and_nothing_pays_much_more(known: dict[str, Known]) -> None:
    worlds = CornerTrials(CornerSettings(), 500, seed=0)
    start, _ = worlds.begin(range(500))
    bound = upper_bound(start, worlds.goal)
    loop, straight = (play(worlds, player, range(500))[:, 0] for player in (Loop(), Straight()))
    assert (loop <= bound).all()
    assert loop.mean() > 0.97 * bound.mean()
    assert loop.mean() > 5 * straight.mean()
    assert known["oracle"].per_episode[0] == pytest.approx(loop.mean(), abs=0.02)


def test_a_visitor_that_forgets_gains_nothing_in_the_second_attempt() -> None:
    class Forgetful(Visit):
        def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
            if episode_start:
                self.begin(self.worlds)
            return super().act(obs, episode_start)

    worlds = CornerTrials(CornerSettings(episodes=2), 1000, seed=0)
    remembers, forgets = (np.diff(play(worlds, player, range(1000)).mean(0))[0] for player in (Visit(), Forgetful()))
    assert remembers > 0.03
    assert abs(forgets) < 0.01


def test_steps_by_hand() -> None:
    worlds = CornerTrials(CornerSettings(), 5, seed=0)
    worlds.begin(range(5))
    worlds.goal = np.tile(CORNERS[0], (5, 1))
    # too near the origin, in the goal's quarter, in another one, away from the goal inside, and out of the quarter
    worlds.pos = np.array([[0.0, 0.0], [0.2, 0.2], [-0.6, 0.6], [1.0, 1.0], [0.1, 0.6]])
    step = worlds.step(np.array([[1, 1], [1, 1], [1, 1], [-1, -1], [-1, 0]]))
    diagonal = SPEED * 2**0.5
    np.testing.assert_allclose(step.reward, [0, diagonal, 0, -diagonal, 0], atol=1e-6)


def test_success_is_at_the_goal() -> None:
    worlds = CornerTrials(CornerSettings(), 10, seed=0)
    obs, _ = worlds.begin(range(10))
    success = []
    for _ in range(12):
        step = worlds.step((worlds.goal - obs) / SPEED)
        obs = step.obs
        success.append(step.success.all())
    assert (success[0], success[-1]) == (False, True)


def test_pay_begins_outside_the_diamond_and_in_the_quarter_of_the_nearest_corner() -> None:
    pos = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    nearest = np.linalg.norm(pos[:, None] - CORNERS, axis=-1).argmin(-1)
    for k, corner in enumerate(CORNERS):
        expected = (nearest == k) & (np.abs(pos).sum(-1) > 0.5)
        assert np.array_equal(pays(pos, np.tile(corner, (2000, 1))), expected)


def test_corners_are_equally_likely_and_starts_differ_by_episode() -> None:
    worlds = CornerTrials(CornerSettings(episodes=2), 4000, seed=0)
    first, context = worlds.begin(range(4000))
    _, counts = np.unique(context, axis=0, return_counts=True)
    assert np.abs(counts - 1000).max() < 4 * (4000 * 3 / 16) ** 0.5
    assert np.abs(first).max() == pytest.approx(0.2, abs=1e-3)
    for _ in range(100):
        step = worlds.step(np.zeros((4000, 2)))
    assert abs(np.corrcoef(step.obs[:, 0], first[:, 0])[0, 1]) < 0.1
    assert np.abs(step.obs).max() <= 0.2
