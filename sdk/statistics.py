"""Means with honest intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
MANY = 2000
"""Samples from which on their mean is normal, and resampling would tell no more."""

STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Two-sided 95 % quantiles for 1 to 9 degrees of freedom; with more, the last one is on the safe side."""

NORMAL = 1.96


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float | list[float]]:
        """Return JSON-compatible data."""
        return {"mean": self.value, "ci95": [self.low, self.high]}

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


def mean_ci95(samples: np.ndarray) -> Estimate:
    """Return the mean of independent samples `[N]` with a percentile bootstrap interval; normal, of many samples."""
    if len(samples) >= MANY:
        return _around(float(samples.mean()), NORMAL * float(samples.std(ddof=1)) / len(samples) ** 0.5)
    return _bootstrap(lambda rows: samples[rows].mean(-1), len(samples), float(samples.mean()))


def seeds_by_tasks_ci95(returns: np.ndarray) -> Estimate:
    """Return the mean of returns `[seeds, tasks]`, all seeds on the same tasks, with an interval for both samples.

    Half its width is the root of the sum of squares of two: Student's t over the seeds' values, and the half width of
    the interval over tasks. Of a single seed only the tasks' part is known.
    """
    return _seeds_by_tasks(returns.mean(1), mean_ci95(returns.mean(0)))


def seeds_by_tasks_gap_closed(robust: np.ndarray, adaptive: np.ndarray, oracle: np.ndarray) -> Estimate:
    """Return the gap closed by mean returns `[seeds, tasks]`, with an interval as of `seeds_by_tasks_ci95`."""
    arms = robust, adaptive, oracle
    each = [gap_closed(*(arm[seed] for arm in arms)).value for seed in range(len(robust))]
    return _seeds_by_tasks(np.array(each), gap_closed(*(arm.mean(0) for arm in arms)))


def seeds_by_tasks_statistic(statistic: Callable[[np.ndarray], np.ndarray], series: np.ndarray) -> Estimate:
    """Return a statistic of the mean of `series` `[seeds, tasks, …]`, with an interval as of `seeds_by_tasks_ci95`.

    The statistic takes several such means at once, `[N, …]`, and returns a number for each.
    """
    of_tasks = series.mean(0)
    count, flat = len(of_tasks), of_tasks.reshape(len(of_tasks), -1)

    def resampled(rows: np.ndarray) -> np.ndarray:
        weights = np.stack([np.bincount(row, minlength=count) for row in rows]) / count
        return statistic((weights @ flat).reshape(len(rows), *of_tasks.shape[1:]))

    value = float(statistic(of_tasks.mean(0)[None])[0])
    return _seeds_by_tasks(statistic(series.mean(1)), _bootstrap(resampled, count, value))


def gap_closed(robust: np.ndarray, adaptive: np.ndarray, oracle: np.ndarray) -> Estimate:
    """Return (adaptive − robust) / (oracle − robust) of mean returns `[N]` on the same worlds, resampled as triples.

    Where the oracle earns no more than robust there is nothing to close: 0.
    """

    def ratio(rows: np.ndarray) -> np.ndarray:
        low, mid, high = (np.asarray(arm[rows].mean(-1)) for arm in (robust, adaptive, oracle))
        return np.divide(mid - low, high - low, out=np.zeros_like(low), where=high > low)

    return _bootstrap(ratio, len(robust), float(ratio(np.arange(len(robust)))))


def _seeds_by_tasks(each: np.ndarray, over_tasks: Estimate) -> Estimate:
    seeds = len(each)
    if seeds == 1:
        return over_tasks
    over_seeds = STUDENT_T[min(seeds - 1, len(STUDENT_T)) - 1] * float(each.std(ddof=1)) / seeds**0.5
    return _around(over_tasks.value, float(np.hypot(over_seeds, (over_tasks.high - over_tasks.low) / 2)))


def _around(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def _bootstrap(statistic: Callable[[np.ndarray], np.ndarray], count: int, value: float) -> Estimate:
    rows = np.random.default_rng(0).integers(0, count, size=(RESAMPLES, count))
    low, high = np.percentile(statistic(rows), [2.5, 97.5])
    return Estimate(value, float(low), float(high))
