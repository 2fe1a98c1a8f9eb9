"""The likeliest distribution over worlds: that which made the data; and what too small an ε does to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from domain_rand.narrowing.dropo import Spread, fit, log_likelihood

TRUE = np.array([3.5]), np.array([0.4])
LOW, HIGH = np.array([0.0]), np.array([10.0])


def minimise(
    objective: Callable[[np.ndarray], float], start: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Search that halves its pattern: two coordinates need no more."""
    best, value, width = start, objective(start), 0.25 * (high - low)
    while width.max() > 1e-4:
        tries = [np.clip(best + s * width * e, low, high) for e in np.eye(len(start)) for s in (1, -1)]
        values = [objective(one) for one in tries]
        if min(values) < value:
            best, value = tries[int(np.argmin(values))], min(values)
        else:
            width = width / 2
    return best


def data(offset: float, seed: int = 0, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """s' = u·θ + offset with θ of its own in every transition."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(0.2, 1.0, count)
    worlds = rng.normal(*TRUE, count)
    return inputs, (inputs * worlds + offset)[:, None]


def found(offset: float, epsilon: float) -> Spread:
    inputs, measured = data(offset)
    return fit(
        lambda worlds: worlds[:, None] * inputs[:, None],
        measured,
        (LOW, HIGH),
        epsilon,
        minimise,
        np.random.default_rng(1),
    )


def test_the_distribution_that_made_the_data_is_found() -> None:
    spread = found(0.0, 1e-5)
    assert spread.mean == pytest.approx(TRUE[0], abs=0.08)
    assert spread.sd == pytest.approx(TRUE[1], rel=0.12)
    assert not spread.too_small


def test_an_offset_that_no_world_makes_blows_the_spread_up_unless_epsilon_allows_it() -> None:
    blown, allowed = found(5.0, 1e-5), found(1.0, 1.0)
    assert blown.too_small
    assert blown.sd[0] > 4
    assert not allowed.too_small
    assert allowed.sd[0] < 1.0


def test_the_likelihood_is_that_of_a_gaussian_with_epsilon() -> None:
    predicted = np.array([[[0.0]], [[2.0]], [[4.0]]])
    variance = 4.0 + 0.5
    expected = -0.5 * ((3.0 - 2.0) ** 2 / variance + np.log(2 * np.pi * variance))
    assert log_likelihood(predicted, np.array([[3.0]]), 0.5) == pytest.approx(expected)
    with pytest.raises(ValueError, match="epsilon = 0"):
        log_likelihood(predicted, np.array([[3.0]]), 0.0)
