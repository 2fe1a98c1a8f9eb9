"""EPOpt's source distribution update: particles weighted by how well their worlds explain what was measured.

Rajeswaran, Ghotra, Ravindran, Levine 2017, "EPOpt", https://arxiv.org/abs/1610.01283, section 3.3

    sample worlds p_i from a sampling distribution P_S                            `Gaussian.draw`
    weight  w_i ∝ Π_k P(τ_k | p_i) · P_P(p_i) / P_S(p_i)     (eq. 4–6)            `weights`
    fit the next distribution to the weighted samples, repeat                     `fitted`

Deviations: weights are tempered so that at least a share of the particles counts in each round, too wide rather than
sure of a handful; the last round is resampled and jittered with a kernel that leaves mean and covariance unchanged
(Liu & West 2001), because plain importance sampling ends with a handful of particles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from domain_rand.narrowing.prior import Prior

MIN_SHARE = 0.3
"""Share of the particles that must count in a round that is not the last."""

LEAST_SHARE = 0.1
"""Share that must count in the last round: fewer particles would say that they know what they do not."""

WIDER = 1.2
"""Factor on the spread of the next sampling distribution: too narrow a one would lose the tails."""

FREEDOM = 8
"""Degrees of freedom of the sampling distribution's tails."""


@dataclass(frozen=True)
class Gaussian:
    """A sampling distribution on the cube: multivariate t, of which only what lies inside is used."""

    mean: np.ndarray
    covariance: np.ndarray

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return `[count, parameters]` points inside the cube; raises `ValueError` where almost none lies there."""
        factor = np.linalg.cholesky(self.covariance)
        kept: list[np.ndarray] = []
        for _ in range(200):
            normals = rng.standard_normal((4 * count, len(self.mean)))
            stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (4 * count, 1)))
            points = self.mean + stretch * normals @ factor.T
            kept.extend(points[((points >= 0) & (points <= 1)).all(1)])
            if len(kept) >= count:
                return np.array(kept[:count])
        raise ValueError("the sampling distribution lies outside the prior's support")

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Return the log density `[n]`, up to a constant."""
        away = np.linalg.solve(np.linalg.cholesky(self.covariance), (points - self.mean).T)
        return -0.5 * (FREEDOM + len(self.mean)) * np.log1p((away**2).sum(0) / FREEDOM)


@dataclass(frozen=True)
class Particles:
    """Equally weighted points of a posterior `[n, parameters]`; `effective` is the share that counted before."""

    points: np.ndarray
    effective: float
    rounds: int


def effective_share(log_weights: np.ndarray) -> float:
    """Return ESS/N: 1 where all weights are equal, 1/N where one has everything."""
    weights = normalised(log_weights)
    return float(1 / np.sum(weights**2) / len(weights))


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Return weights that sum to 1."""
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def tempered(log_weights: np.ndarray, share: float = MIN_SHARE) -> np.ndarray:
    """Return log weights times the largest power in [0, 1] that lets `share` of the particles count."""
    if effective_share(log_weights) >= share:
        return log_weights
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective_share(middle * log_weights) >= share else (low, middle)
    return low * log_weights


def fitted(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of weighted points."""
    mean = weights @ points
    away = points - mean
    return mean, (away * weights[:, None]).T @ away + 1e-12 * np.eye(points.shape[1])


def resampled(points: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` points drawn by weight, systematically: each about `count · weight` times."""
    places = (rng.random() + np.arange(count)) / count
    return points[np.minimum(np.searchsorted(np.cumsum(weights), places), len(points) - 1)]


def jittered(points: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
    """Return points moved by a kernel of `width` deviations that keeps mean and covariance, inside the cube."""
    mean, covariance = fitted(points, np.full(len(points), 1 / len(points)))
    shrunk = mean + np.sqrt(1 - width**2) * (points - mean)
    kicks = rng.standard_normal(points.shape) @ np.linalg.cholesky(covariance).T
    return reflected(shrunk + width * kicks)


def reflected(points: np.ndarray) -> np.ndarray:
    """Return points with what lies beyond a face of the cube folded back inside."""
    folded = np.mod(points, 2.0)
    return np.where(folded > 1.0, 2.0 - folded, folded)


def posterior(
    log_likelihood: Callable[[np.ndarray], np.ndarray],
    prior: Prior,
    rng: np.random.Generator,
    start: Gaussian | None = None,
    count: int = 200,
    rounds: int = 6,
) -> Particles:
    """Return particles of the posterior; `log_likelihood` takes points `[n, parameters]` and returns `[n]`.

    `start` is the first sampling distribution, a rough idea of the posterior; without it, the prior. Ends before
    `rounds` once the weights need no tempering.
    """
    sampling, points = start, prior.draw(count, rng) if start is None else start.draw(count, rng)
    for number in range(1, rounds + 1):
        log_weights = log_likelihood(points) + prior.log_density(points)
        log_weights = log_weights - (prior if sampling is None else sampling).log_density(points)
        share = effective_share(log_weights)
        if share >= MIN_SHARE or number == rounds:
            break
        mean, covariance = fitted(points, normalised(tempered(log_weights)))
        sampling = Gaussian(mean, WIDER**2 * covariance)
        points = sampling.draw(count, rng)
    chosen = resampled(points, normalised(tempered(log_weights, LEAST_SHARE)), count, rng)
    width = min(0.5, (max(share, LEAST_SHARE) * count) ** (-1 / (points.shape[1] + 4)))
    return Particles(jittered(chosen, width, rng), share, number)
