"""Means with honest intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


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
    """Return the mean of independent samples `[N]` with a percentile bootstrap interval."""
    return _bootstrap(lambda rows: samples[rows].mean(-1), len(samples), float(samples.mean()))


def gap_closed(robust: np.ndarray, adaptive: np.ndarray, oracle: np.ndarray) -> Estimate:
    """Return (adaptive − robust) / (oracle − robust) of mean returns `[N]` on the same worlds, resampled as triples."""

    def ratio(rows: np.ndarray) -> np.ndarray:
        low, mid, high = (arm[rows].mean(-1) for arm in (robust, adaptive, oracle))
        return (mid - low) / (high - low)

    return _bootstrap(ratio, len(robust), float(ratio(np.arange(len(robust)))))


def _bootstrap(statistic: Callable[[np.ndarray], np.ndarray], count: int, value: float) -> Estimate:
    rows = np.random.default_rng(0).integers(0, count, size=(RESAMPLES, count))
    low, high = np.percentile(statistic(rows), [2.5, 97.5])
    return Estimate(value, float(low), float(high))
