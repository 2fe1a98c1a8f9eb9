"""DROPO: the distribution over worlds, mean and spread, under which recorded transitions are likeliest.

Tiboni, Arndt, Kyrki 2023, "DROPO: Sim-to-real transfer with offline domain randomization",
https://arxiv.org/abs/2201.08434, algorithm 1

    from each recorded state, simulate K worlds ξ ~ N(μ, σ²) one step ahead       `spread_of`
    s̄_t, Σ_t = mean and covariance of the K next states                           `log_likelihood`
    maximise Σ_t log N(s'_t ; s̄_t, Σ_t + ε·I) over (μ, σ)                         `fit`

Deviations: the same K standard normals serve every (μ, σ), so that the objective is smooth; worlds stay inside bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WIDE = 0.9
"""A spread at this share of its bound explains errors that no parameter makes: ε is too small."""

Simulate = Callable[[np.ndarray], np.ndarray]
"""From worlds `[K, parameters]` to predictions `[K, n, outputs]`."""

Minimise = Callable[[Callable[[np.ndarray], float], np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From an objective, a start, lower and upper bounds to where the objective is smallest."""


@dataclass(frozen=True)
class Spread:
    """A distribution over worlds: independent normals. `too_small` says that ε could not explain what was left."""

    mean: np.ndarray
    sd: np.ndarray
    log_likelihood: float
    too_small: bool


def log_likelihood(predicted: np.ndarray, measured: np.ndarray, epsilon: float) -> float:
    """Return Σ log N(measured; mean, covariance + ε·I) of predictions `[K, n, outputs]`, measured `[n, outputs]`.

    ε is the variance of what no parameter explains, in the outputs' unit squared. Raises `ValueError` unless positive.
    """
    if epsilon <= 0:
        raise ValueError(f"epsilon = {epsilon:g}; valid: positive")
    mean = predicted.mean(0)
    away = predicted - mean
    covariance = np.einsum("kni,knj->nij", away, away) / (len(predicted) - 1)
    covariance = covariance + epsilon * np.eye(measured.shape[1])
    error = measured - mean
    distance = np.einsum("ni,ni->n", error, np.linalg.solve(covariance, error[..., None])[..., 0])
    volume = np.linalg.slogdet(covariance)[1] + measured.shape[1] * np.log(2 * np.pi)
    return float(-0.5 * np.sum(distance + volume))


def fit(
    simulate: Simulate,
    measured: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    epsilon: float,
    minimise: Minimise,
    rng: np.random.Generator,
    count: int = 32,
) -> Spread:
    """Return the likeliest mean and spread within bounds `[parameters]`; the spread is at most half their distance."""
    low, high = bounds
    half, k = 0.5 * (high - low), len(low)
    normals = _balanced(rng.standard_normal((count, k)))

    def worlds(at: np.ndarray) -> np.ndarray:
        return np.clip(at[:k] + np.exp(at[k:]) * half * normals, low, high)

    start = np.concatenate([low + half, np.full(k, np.log(0.3))])
    lowest, highest = np.concatenate([low, np.full(k, np.log(1e-3))]), np.concatenate([high, np.zeros(k)])
    best = minimise(lambda at: -log_likelihood(simulate(worlds(at)), measured, epsilon), start, lowest, highest)
    share = np.exp(best[k:])
    reached = log_likelihood(simulate(worlds(best)), measured, epsilon)
    return Spread(best[:k], share * half, reached, bool((share > WIDE).any()))


def _balanced(normals: np.ndarray) -> np.ndarray:
    """Return normals whose sample mean is 0 and whose sample deviation is 1."""
    centred = normals - normals.mean(0)
    return centred / centred.std(0, ddof=1)
