from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_rand.epopt import cvar, percentile, worst
from tests.domain_rand.fake_world import randomization, scale

RETURNS = [5.0, 1.0, 3.0, 1.0, 4.0]


def test_the_worst_are_those_up_to_the_percentile_in_their_order() -> None:
    assert percentile(RETURNS, 0.4) == 1.0
    assert worst(RETURNS, 0.4).tolist() == [1, 3]
    assert worst(RETURNS, 0.6).tolist() == [1, 2, 3]


def test_ties_with_the_percentile_are_all_kept() -> None:
    assert worst(RETURNS, 0.2).tolist() == [1, 3]
    assert worst([2.0, 2.0, 2.0], 0.1).tolist() == [0, 1, 2]


def test_everything_is_kept_in_order_at_one() -> None:
    assert worst(RETURNS, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_a_share_that_rounding_lifts_over_a_whole_number_takes_no_more() -> None:
    assert 0.07 * 100 > 7
    assert len(worst(list(range(100)), 0.07)) == 7
    assert len(worst(list(range(101)), 0.07)) == 8


def test_cvar_is_the_mean_of_the_worst() -> None:
    assert cvar(RETURNS, 0.6) == pytest.approx(5 / 3)
    assert cvar(RETURNS, 0.2) == 1.0
    assert cvar(RETURNS, 1.0) == pytest.approx(14 / 5)


@pytest.mark.parametrize(("epsilon", "factor"), [(0.05, 2.063), (0.1, 1.755), (0.2, 1.400)])
def test_the_worst_of_normal_worlds_have_the_closed_form_mean(epsilon: float, factor: float) -> None:
    normal = {**scale("motor_kp"), "draw": {"distribution": "normal", "mean": 10.0, "std": 2.0}}
    worlds = randomization(kp=normal)
    returns = np.array([worlds.draw(0, index).params["kp"] for index in range(10_000)])
    assert returns[worst(returns, epsilon)].mean() == pytest.approx(10 - 2 * factor, rel=0.02)
    assert cvar(returns, epsilon) == pytest.approx(10 - 2 * factor, rel=0.02)


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30), st.floats(0.01, 1))
def test_kept_are_never_better_than_dropped(returns: list[float], epsilon: float) -> None:
    kept = set(worst(returns, epsilon).tolist())
    dropped = [value for i, value in enumerate(returns) if i not in kept]
    assert len(kept) >= epsilon * len(returns) - 1e-6
    assert all(returns[i] < value for i in kept for value in dropped)
    strictly_better = [i for i in kept if returns[i] < percentile(returns, epsilon)]
    assert len(strictly_better) < epsilon * len(returns)


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.1, float("nan")])
def test_an_impossible_share_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="valid is 0 < epsilon <= 1"):
        worst(RETURNS, epsilon)


@pytest.mark.parametrize("returns", [[], [1.0, float("nan")], [[1.0]]])
def test_returns_must_be_finite_numbers(returns: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite number for each world"):
        worst(returns, 0.5)
