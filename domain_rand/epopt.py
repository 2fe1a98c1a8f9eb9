"""EPOpt: train on the worst worlds only, so that the policy maximises conditional value at risk.

Rajeswaran, Ghotra, Ravindran, Levine 2017, "EPOpt: Learning robust neural network policies using model ensembles",
https://arxiv.org/abs/1610.01283

    for each iteration:
        sample worlds p_1 … p_N, roll the policy out in each: returns R_1 … R_N
        Q_ε = the ε-percentile of the returns                              `percentile`
        keep {k : R_k ≤ Q_ε}                                               `worst`
        update the policy with the trajectories kept (ε = 1 for the first iterations)

Deviations: none. Worlds that tie with the percentile are all kept, as the set above says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def percentile(returns: Sequence[float] | np.ndarray, epsilon: float) -> float:
    """Return Q_ε: the ⌈εN⌉-th smallest of N returns. Raises `ValueError` for a return that is not finite."""
    return float(np.sort(_checked(returns))[_count(len(returns), epsilon) - 1])


def worst(returns: Sequence[float] | np.ndarray, epsilon: float) -> np.ndarray:
    """Return the indices of all returns up to Q_ε, in their order; ε = 1 keeps everything."""
    return np.flatnonzero(_checked(returns) <= percentile(returns, epsilon))


def cvar(returns: Sequence[float] | np.ndarray, epsilon: float) -> float:
    """Return the mean of the ⌈εN⌉ smallest returns: what EPOpt maximises."""
    return float(np.sort(_checked(returns))[: _count(len(returns), epsilon)].mean())


def _count(n: int, epsilon: float) -> int:
    if not 0 < epsilon <= 1:
        raise ValueError(f"epsilon = {epsilon:g}; valid is 0 < epsilon <= 1")
    return max(1, math.ceil(epsilon * n - 1e-9))  # 0.07 · 100 is a little more than 7 in floating point


def _checked(returns: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(returns, dtype=float)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError("returns must be one finite number for each world")
    return values
