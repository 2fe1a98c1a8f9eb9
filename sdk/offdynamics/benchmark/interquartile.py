"""Interquartile means over training seeds, with intervals (Agarwal et al. 2021)."""

from __future__ import annotations

import numpy as np

from sdk.statistics import Estimate

RESAMPLES = 2000


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half of `[…, N]` values; of three, the outer two count a quarter each."""
    count = values.shape[-1]
    edges = np.arange(count + 1) / count
    weight = np.clip(edges[1:], 0.25, 0.75) - np.clip(edges[:-1], 0.25, 0.75)
    found: np.ndarray = np.sort(values, -1) @ (2 * weight)
    return found


def iqm_ci95(returns: np.ndarray) -> Estimate:
    """Return the interquartile mean over seeds of mean returns `[seeds, tasks]`, all on the same tasks.

    The percentile interval resamples seeds and tasks; of a few seeds it knows no more than they show.
    """
    rng, (seeds, tasks) = np.random.default_rng(0), returns.shape
    drawn = []
    for _ in range(RESAMPLES):
        some = returns[rng.integers(0, seeds, seeds)][:, rng.integers(0, tasks, tasks)]
        drawn.append(some.mean(1))
    low, high = np.percentile(interquartile_mean(np.array(drawn)), [2.5, 97.5])
    return Estimate(float(interquartile_mean(returns.mean(1))), float(low), float(high))
