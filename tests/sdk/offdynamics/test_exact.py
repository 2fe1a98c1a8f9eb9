"""The exact worlds, against published numbers, sampling and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sdk.offdynamics.exact import gaussian, gridworld
from sdk.offdynamics.exact.lq import (
    LinearQuadratic,
    corrected_gains,
    exact_delta_reward,
    expected_delta_reward,
)
from sdk.offdynamics.risk import exponential_values

SOURCE = LinearQuadratic()


@pytest.mark.parametrize(
    ("delta", "uncorrected", "corrected", "oracle"),
    [
        (0.0, 0.01749, 0.01749, 0.01749),
        (0.5, 0.02176, 0.02408, 0.02085),
        (1.0, 0.05057, 0.02454, 0.02453),
        (2.0, math.inf, 0.02460, 0.01749),
    ],
)
def test_costs_of_a_lost_actuator(delta: float, uncorrected: float, corrected: float, oracle: float) -> None:
    target = SOURCE.weakened(delta)
    gains = SOURCE.best(), corrected_gains(SOURCE, target), target.best()
    assert [target.cost(k) for k in gains] == pytest.approx([uncorrected, corrected, oracle], abs=6e-6)


def test_a_cost_is_what_the_system_pays_in_the_long_run() -> None:
    gains, rng, state = SOURCE.best(), np.random.default_rng(0), np.zeros((2000, 2))
    costs = []
    for _ in range(300):
        action = -state @ gains.T
        costs.append(((state @ SOURCE.Q) * state).sum(-1) + ((action @ SOURCE.R) * action).sum(-1))
        state = SOURCE.step(state, action, rng)
    assert np.mean(costs[50:]) == pytest.approx(SOURCE.cost(gains), rel=0.01)


def test_the_mean_of_the_exact_correction_under_the_source() -> None:
    rng, target = np.random.default_rng(0), SOURCE.weakened(1.0)
    obs, action = rng.standard_normal((200_000, 2)), rng.uniform(-1, 1, (200_000, 2))
    delta = exact_delta_reward(SOURCE, target, obs, action, SOURCE.step(obs, action, rng))
    assert delta.mean() == pytest.approx(expected_delta_reward(SOURCE, target, action).mean(), rel=0.02)


# --- the push ----------------------------------------------------------------------------------------------------


def test_a_constant_push_gives_a_correction_that_no_action_changes() -> None:
    noise = 0.5 * np.random.default_rng(0).standard_normal(400_000)
    delta = gaussian.delta_reward(noise, push=0.4, sigma=0.5)
    assert delta.mean() == pytest.approx(gaussian.mean_delta_reward(0.4, 0.5), abs=0.005)
    assert delta.std() == pytest.approx(0.4 / 0.5, rel=0.01)


# --- the wall ----------------------------------------------------------------------------------------------------

OPEN, WALLED = gridworld.dynamics(), gridworld.dynamics(gridworld.WALL)


def corrected(clip: float) -> np.ndarray:
    return gridworld.plan(OPEN, gridworld.rewards() + gridworld.delta_reward(OPEN, WALLED, clip))


def test_the_source_policy_fails_at_the_wall_and_the_oracle_walks_around_it() -> None:
    source, oracle = (gridworld.plan(p, gridworld.rewards()) for p in (OPEN, WALLED))
    assert gridworld.outcome(OPEN, source)[1] > 0.999
    assert gridworld.outcome(WALLED, source)[1] < 0.005
    assert gridworld.outcome(WALLED, oracle) == pytest.approx((-1.7705, 1.0), abs=1e-4)


@pytest.mark.parametrize(("clip", "value"), [(3.0, -1.782), (4.0, -1.782), (6.0, -1.789)])
def test_the_corrected_policy_walks_around_a_wall_it_never_met(clip: float, value: float) -> None:
    assert gridworld.outcome(WALLED, corrected(clip)) == pytest.approx((value, 1.0), abs=1e-3)


def test_a_clip_below_the_cost_of_the_detour_is_none() -> None:
    assert gridworld.outcome(WALLED, corrected(0.5))[1] < 0.05
    assert gridworld.outcome(WALLED, corrected(1.0))[1] > 0.99


@pytest.mark.parametrize(("rows", "low", "high"), [(2000, 0.95, 1.0), (500, 0.0, 0.05)])
def test_rows_of_the_target_decide_whether_the_wall_is_told(rows: int, low: float, high: float) -> None:
    success = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        there, here = gridworld.sampled(WALLED, rows, rng), gridworld.sampled(OPEN, 20_000, rng)
        seen = there + here > 0
        p_there, p_here = gridworld.estimated(there, seen), gridworld.estimated(here, seen)
        delta = gridworld.delta_reward(p_here, p_there, 4.0)
        policy = gridworld.plan(OPEN, gridworld.rewards() + delta)
        success.append(gridworld.outcome(WALLED, policy)[1])
    assert low <= np.median(success) <= high


def test_without_temperature_the_softest_policy_is_the_greedy_one() -> None:
    greedy = gridworld.outcome(OPEN, gridworld.plan(OPEN, gridworld.rewards()))
    soft = gridworld.outcome(OPEN, gridworld.plan(OPEN, gridworld.rewards(), temperature=1e-4))
    assert soft == pytest.approx(greedy, abs=1e-6)
    warm = gridworld.outcome(OPEN, gridworld.plan(OPEN, gridworld.rewards(), temperature=0.1))
    assert warm[0] < greedy[0] - 0.1


# --- the risk-sensitive value ------------------------------------------------------------------------------------


def random_world(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    source, target = rng.dirichlet(np.ones(5), (2, 5, 3))
    return source, target, rng.standard_normal((5, 3, 5)), rng.dirichlet(np.ones(3), (12, 5))


def test_the_exponential_of_the_corrected_return_in_the_source_is_that_of_the_target() -> None:
    source, target, reward, policy = random_world(0)
    delta = np.log(target) - np.log(source)
    here = exponential_values(source, policy, reward + delta)
    np.testing.assert_allclose(here, exponential_values(target, policy, reward), rtol=0, atol=1e-10)
    assert np.abs(here - exponential_values(source, policy, reward)).max() > 0.1


def test_what_only_the_target_can_do_is_missing_from_the_corrected_value() -> None:
    policy = gridworld.plan(OPEN, gridworld.rewards())
    delta = gridworld.delta_reward(OPEN, WALLED, clip=500.0)
    here = exponential_values(OPEN, policy, gridworld.rewards() + delta)[gridworld.START]
    assert here < exponential_values(WALLED, policy, gridworld.rewards())[gridworld.START] - 0.9
