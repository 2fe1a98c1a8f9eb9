from __future__ import annotations

import numpy as np
import pytest

from sdk.toys.gridnavi import GOALS, GridSettings, GridTrials, moved
from sdk.toys.references.base import Known, one_hot, play
from sdk.toys.references.gridnavi import (
    EveryGoal,
    Follow,
    PosteriorSampling,
    _search,
    bayes_optimal,
    best_path,
    references,
    walk,
)


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    return references(GridSettings())


def test_the_bayes_optimum_is_exact(known: dict[str, Known]) -> None:
    assert round(known["optimal"].total, 3) == 37.214
    assert [round(v, 3) for v in known["optimal"].per_episode] == [4.0, 11.071, 11.071, 11.071]


def test_the_oracle_and_chance(known: dict[str, Known]) -> None:
    assert round(known["oracle"].total, 2) == 44.29
    assert known["random"].total == pytest.approx(-4.66, abs=3 * known["random"].standard_error)


@pytest.mark.parametrize(
    ("name", "values"),
    [("posterior_sampling", [0.52, 2.21, 3.73, 5.06]), ("posterior_resampling", [2.87, 7.79, 10.48, 11.08])],
)
def test_posterior_sampling_in_both_readings(name: str, values: list[float], known: dict[str, Known]) -> None:
    assert known[name].per_episode == pytest.approx(values, abs=0.2)


def test_the_optimum_meets_its_upper_bound(known: dict[str, Known]) -> None:
    # no trial beats one that gives its first episode all to itself and spends the others knowing the goal
    bound = bayes_optimal(1).total + 3 * known["oracle"].per_episode[0]
    assert known["optimal"].total == pytest.approx(bound, abs=1e-6)


def test_dropping_hopeless_beliefs_loses_nothing() -> None:
    everything, _ = _search(1, least=0, width=None)
    first = Follow(best_path(1))
    worlds = EveryGoal(GridSettings(episodes=1), len(GOALS), seed=0)
    assert play(worlds, first, range(len(GOALS))).mean() == pytest.approx(-1.5 + 1.1 / 21 * everything, abs=1e-6)


def test_posterior_sampling_that_never_learns_stays_where_it_began() -> None:
    class Forgetful(PosteriorSampling):
        def learn(self, step: object) -> None:
            """See nothing."""

    worlds = GridTrials(GridSettings(), 4000, seed=0)
    returns = play(worlds, Forgetful(again=False), range(4000)).mean(0)
    assert np.ptp(returns) < 0.5
    assert returns.max() < 0.5


def test_rewards_and_walls_by_hand() -> None:
    worlds = GridTrials(GridSettings(), 1, seed=0)
    worlds.begin([0])
    up, right = one_hot(np.array([1]), 5), one_hot(np.array([2]), 5)
    x, y = worlds.goal[0]
    rewards = [worlds.step(move).reward[0] for move in [right] * x + [up] * y + [one_hot(np.array([0]), 5)]]
    assert rewards == pytest.approx([-0.1] * (x + y - 1) + [1, 1])
    assert moved(np.array([[4, 0], [0, 4]]), np.array([2, 1])).tolist() == [[4, 0], [0, 4]]


def test_all_21_goals_are_equally_likely() -> None:
    worlds = GridTrials(GridSettings(), 21_000, seed=0)
    worlds.begin(range(21_000))
    cells, counts = np.unique(worlds.goal, axis=0, return_counts=True)
    assert len(cells) == 21
    assert not {(0, 0), (0, 1), (1, 0), (1, 1)} & {tuple(cell) for cell in cells.tolist()}
    assert ((counts - 1000) ** 2 / 1000).sum() < 52  # chi-squared, 20 degrees of freedom: p = 1e-4


def test_a_walk_goes_along_x_first_and_stays_on_arrival() -> None:
    cells, goals = np.array([[0, 0], [4, 0], [2, 1], [2, 2], [2, 2]]), np.array([[2, 2]] * 5)
    assert walk(cells, goals).tolist() == [2, 4, 1, 0, 0]
