"""SimOpt: a step of the distribution over worlds towards what was measured, never further than a KL bound.

Chebotar et al. 2019, "Closing the sim-to-real loop", https://arxiv.org/abs/1810.05687, eq. 4

    min over φ' of  E_{ξ ~ p_φ'} [ D(ξ) ]   subject to   KL(p_φ' ‖ p_φ) ≤ ε       `step`

D is the discrepancy between simulated and real trajectories. For a Gaussian p_φ and the quadratic D(ξ) = ½(ξ − a)ᵀA(ξ −
a), which least squares has near its minimum, the minimiser is p_φ · exp(−D/η), Gaussian again, and η is found by
bisection, so that the bound is met exactly. Deviations: the paper samples; here the step is solved in closed form.
"""

from __future__ import annotations

import numpy as np

COLD, HOT = 1e-9, 1e9
"""Range of the temperature η; where even the coldest step keeps the bound, it is taken."""


def kl_gaussians(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """Return KL(N(mean, covariance) ‖ N(other)) [nats]."""
    precision = np.linalg.inv(other_covariance)
    away = other_mean - mean
    volume = np.linalg.slogdet(other_covariance)[1] - np.linalg.slogdet(covariance)[1]
    return float(0.5 * (np.trace(precision @ covariance) + away @ precision @ away - len(mean) + volume))


def tilted(
    mean: np.ndarray, covariance: np.ndarray, best: np.ndarray, curvature: np.ndarray, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of N(mean, covariance) · exp(−½(ξ − best)ᵀ·curvature·(ξ − best) / temperature)."""
    precision = np.linalg.inv(covariance)
    pull = curvature / temperature
    narrowed = np.linalg.inv(precision + pull)
    return narrowed @ (precision @ mean + pull @ best), narrowed


def step(
    mean: np.ndarray, covariance: np.ndarray, best: np.ndarray, curvature: np.ndarray, bound: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Gaussian of least expected discrepancy whose KL to the old one is `bound` [nats], or less.

    Raises `ValueError` unless the bound is positive.
    """
    if bound <= 0:
        raise ValueError(f"bound = {bound:g} nats; valid: positive")
    low, high = np.log(COLD), np.log(HOT)
    for _ in range(200):
        middle = 0.5 * (low + high)
        moved = tilted(mean, covariance, best, curvature, float(np.exp(middle)))
        low, high = (middle, high) if kl_gaussians(*moved, mean, covariance) > bound else (low, middle)
    return tilted(mean, covariance, best, curvature, float(np.exp(high)))
