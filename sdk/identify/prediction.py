"""What a distribution over worlds foretells of runs it has not seen, and how often that holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from domain_rand.narrowing.information import for_each
from robots.identification.segments import Segments

BAND = (0.05, 0.95)
DRAWS = 20
"""Draws of what parameters do not explain, for each world."""


class Forecast(NamedTuple):
    """Outputs foretold in the mean and at both ends of the 90 % band, `[n, outputs]`, beside what was measured."""

    segments: Segments
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def covered(self) -> float:
        """Share of what was measured that lies inside the band."""
        target = self.segments.target
        return float(np.mean((self.low <= target) & (target <= self.high)))

    def rmse(self) -> list[float]:
        """Root mean square error of the mean at the segments' end, per joint [rad]."""
        return end_rmse(self.mean, self.segments)


def forecast(outputs: np.ndarray, covariance: np.ndarray, segments: Segments, rng: np.random.Generator) -> Forecast:
    """Return the forecast of worlds whose outputs are `[worlds, n, outputs]`.

    `covariance` of their errors is one for each segment, or one for all.
    """
    factor = for_each(np.linalg.cholesky(covariance), outputs.shape[1])
    noise = np.einsum("nij,dwnj->dwni", factor, rng.standard_normal((DRAWS, *outputs.shape)))
    low, high = np.quantile((outputs + noise).reshape(-1, *outputs.shape[1:]), BAND, axis=0)
    return Forecast(segments, outputs.mean(0), low, high)


def end_rmse(outputs: np.ndarray, segments: Segments) -> list[float]:
    """Return the root mean square error of outputs `[n, outputs]` at the segments' end, per joint [rad]."""
    joints = segments.began.shape[1]
    return np.sqrt(((outputs - segments.target)[:, -joints:] ** 2).mean(0)).tolist()


def summary(forecast_: Forecast, nominal: np.ndarray) -> dict[str, Any]:
    """Return the forecast as plain facts, beside the robot as its files say and no motion at all."""
    segments = forecast_.segments
    return {
        "segments": len(segments.began),
        "rmse": forecast_.rmse(),
        "nominal": end_rmse(nominal, segments),
        "no_motion": end_rmse(segments.stillness, segments),
        "covered": forecast_.covered,
    }
