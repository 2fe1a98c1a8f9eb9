from __future__ import annotations

import numpy as np
import pytest

from sdk.toys.bandit import BanditSettings, BanditTrials
from sdk.toys.references.bandit import Gittins, Thompson, bayes_optimal, gittins_indices, references
from sdk.toys.references.base import Known, Random, play


@pytest.mark.parametrize(("pulls", "arms", "value"), [(10, 5, 6.660), (10, 10, 6.714)])
def test_the_bayes_optimum_is_exact(pulls: int, arms: int, value: float) -> None:
    assert round(bayes_optimal(pulls, arms), 3) == value


def test_the_bayes_optimum_of_two_pulls_by_hand() -> None:
    # a pull of an unknown arm pays 1/2; after a success it pays 2/3 again, after a failure another arm pays 1/2
    assert bayes_optimal(1, 2) == pytest.approx(0.5)
    assert bayes_optimal(2, 2) == pytest.approx(0.5 + 0.5 * 2 / 3 + 0.5 * 1 / 2)


def test_an_index_is_the_mean_with_one_pull_left_and_above_it_with_more() -> None:
    tables = gittins_indices(10)
    good, bad = np.ogrid[:10, :10]
    np.testing.assert_allclose(tables[1], (good + 1) / (good + bad + 2), atol=1e-5)
    first = [float(table[0, 0]) for table in tables[1:]]
    assert first == sorted(first)
    assert first[1] == pytest.approx(0.5 + 1 / 18, abs=1e-3)  # 1/2 − λ + 1/2·(2/3 − λ) = 0 at λ = 5/9


@pytest.mark.parametrize(("arms", "value", "error"), [(5, 78.63, 0.07), (10, 83.73, 0.05)])
def test_the_gittins_policy_in_a_hundred_pulls(arms: int, value: float, error: float) -> None:
    known = references(BanditSettings(pulls=100, arms=arms), tasks=10_000)
    gittins = known["gittins"]
    assert abs(gittins.total - value) < 3 * np.hypot(gittins.standard_error, error)
    assert known["random"].total == pytest.approx(50, abs=3 * known["random"].standard_error)
    assert known["thompson"].total + 3 < gittins.total


@pytest.mark.slow
def test_the_gittins_policy_in_five_hundred_pulls() -> None:
    worlds = BanditTrials(BanditSettings(pulls=500, arms=5), 10_000, seed=0)
    known = Known.of(play(worlds, Gittins(gittins_indices(500, prices=26)), range(10_000)))
    assert abs(known.total - 408.3) < 3 * np.hypot(known.standard_error, 0.7)


def test_in_ten_pulls_the_index_policy_is_hardly_below_the_optimum_and_nothing_is_above() -> None:
    known = references(BanditSettings(pulls=10, arms=5), tasks=50_000)
    optimal = known.pop("optimal").total
    assert known["gittins"].total == pytest.approx(optimal, abs=3 * known["gittins"].standard_error)
    for name, row in known.items():
        assert row.total < optimal + 3 * row.standard_error, name
    assert known["thompson"].total == pytest.approx(5.83, abs=0.1)
    assert known["random"].total == pytest.approx(5.0, abs=0.05)


def test_pull_by_pull_is_the_same_trial_with_an_episode_for_each_pull() -> None:
    whole, cut = (BanditTrials(BanditSettings(pull_by_pull=cut), 500, seed=0) for cut in (False, True))
    assert (cut.episodes, cut.episode_steps, cut.trial_steps) == (10, 1, whole.trial_steps)
    one, other = (play(worlds, Random(0), range(500)) for worlds in (whole, cut))
    assert other.shape == (500, 10)
    assert np.array_equal(one[:, 0], other.sum(1))
    assert other.std(0).min() > 0.4


def test_a_player_that_counts_the_wrong_way_round_falls_below_chance() -> None:
    class Contrary(Thompson):
        def score(self) -> np.ndarray:
            return -super().score()

    worlds = BanditTrials(BanditSettings(), 2000, seed=0)
    contrary, chance = (play(worlds, player, range(2000)).mean() for player in (Contrary(), Random()))
    assert contrary < chance - 0.5


def test_an_arm_pays_as_often_as_its_chance_says() -> None:
    worlds = BanditTrials(BanditSettings(pulls=2000, arms=2), 3, seed=0)
    _, context = worlds.begin(range(3))
    reward = np.mean([worlds.step(np.tile([0.0, 1.0], (3, 1))).reward for _ in range(2000)], axis=0)
    np.testing.assert_allclose(reward, (context[:, 1] + 1) / 2, atol=0.05)
