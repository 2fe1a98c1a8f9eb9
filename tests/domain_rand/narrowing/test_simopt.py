"""The KL-bounded step against the optimum that Gaussians have in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.narrowing.simopt import kl_gaussians, step, tilted

MEAN, COVARIANCE = np.array([1.0, -1.0]), np.array([[1.0, 0.3], [0.3, 0.5]])
BEST, CURVATURE = np.array([2.0, 0.5]), np.array([[3.0, 0.5], [0.5, 1.0]])


def cost(mean: np.ndarray, covariance: np.ndarray) -> float:
    away = mean - BEST
    return float(0.5 * (away @ CURVATURE @ away + np.trace(CURVATURE @ covariance)))


def test_the_bound_is_met_exactly_and_nothing_within_it_costs_less() -> None:
    mean, covariance = step(MEAN, COVARIANCE, BEST, CURVATURE, 0.3)
    assert kl_gaussians(mean, covariance, MEAN, COVARIANCE) == pytest.approx(0.3, abs=1e-6)
    rng = np.random.default_rng(0)
    rivals = 0
    for _ in range(4000):
        near = mean + 0.3 * rng.standard_normal(2)
        factor = np.linalg.cholesky(covariance) @ (np.eye(2) + 0.2 * rng.standard_normal((2, 2)))
        if kl_gaussians(near, factor @ factor.T, MEAN, COVARIANCE) <= 0.3:
            rivals += 1
            assert cost(near, factor @ factor.T) >= cost(mean, covariance) - 1e-9
    assert rivals > 200


def test_a_scalar_step_has_the_spread_that_the_formula_gives() -> None:
    mean, covariance = tilted(np.array([0.0]), np.array([[1.0]]), np.array([2.0]), np.array([[1.0]]), 0.5)
    assert covariance[0, 0] == pytest.approx(1 / 3)
    assert mean[0] == pytest.approx(4 / 3)
    assert kl_gaussians(mean, covariance, np.zeros(1), np.eye(1)) == pytest.approx(
        0.5 * (1 / 3 + 16 / 9 - 1 - np.log(1 / 3))
    )


def test_small_bounds_make_small_steps_and_wide_ones_reach_the_best() -> None:
    near, _ = step(MEAN, COVARIANCE, BEST, CURVATURE, 1e-4)
    assert np.linalg.norm(near - MEAN) < 0.05
    far, _ = step(MEAN, COVARIANCE, BEST, CURVATURE, 20.0)
    assert far == pytest.approx(BEST, abs=1e-3)
    with pytest.raises(ValueError, match="bound = 0 nats"):
        step(MEAN, COVARIANCE, BEST, CURVATURE, 0.0)


def test_what_costs_nothing_stays() -> None:
    flat = np.diag([4.0, 0.0])
    mean, covariance = step(np.zeros(2), np.eye(2), np.array([1.0, 1.0]), flat, 1.0)
    assert mean[1] == 0
    assert covariance[1, 1] == pytest.approx(1.0)
