"""The correction cannot win everywhere, so it has to: of two policies, the one that earned more in the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from domain_rand.schema import ConfigError
from sdk.offdynamics.risk import certainty_equivalent
from sdk.statistics import Estimate, mean_ci95

RESAMPLES = 2000


@dataclass(frozen=True)
class Verdict:
    """Which policy to keep; `gain` is corrected less uncorrected, and `sure` whether its interval excludes 0."""

    keep: Literal["corrected", "uncorrected"]
    gain: Estimate

    @property
    def sure(self) -> bool:
        return self.gain.low > 0 or self.gain.high < 0


def gate(corrected: np.ndarray, uncorrected: np.ndarray, *, paired: bool, risk: float | None = None) -> Verdict:
    """Return the better policy by returns `[N]` of its target episodes; in doubt the uncorrected one.

    With `paired`, episode i of both was of the same world. `risk`, in units of return, compares what log E exp(return)
    says instead of means (`certainty_equivalent`). Raises `ConfigError` for fewer than two episodes of either, returns
    that are not numbers, and pairs of different length.
    """
    for name, returns in (("corrected", corrected), ("uncorrected", uncorrected)):
        if len(returns) < 2 or not np.isfinite(returns).all():
            raise ConfigError(f"{name}: {np.isfinite(returns).sum()} finite returns of {len(returns)}; at least 2, all")
    if paired and len(corrected) != len(uncorrected):
        raise ConfigError(f"paired: {len(corrected)} corrected episodes, {len(uncorrected)} uncorrected ones")
    if risk is not None:
        gain = _risky_gain(corrected, uncorrected, paired, risk)
    else:
        means = mean_ci95(corrected), mean_ci95(uncorrected)
        gain = mean_ci95(corrected - uncorrected) if paired else _difference(*means)
    return Verdict("corrected" if gain.value > 0 else "uncorrected", gain)


def _risky_gain(corrected: np.ndarray, uncorrected: np.ndarray, paired: bool, risk: float) -> Estimate:
    rng = np.random.default_rng(0)
    one = rng.integers(0, len(corrected), (RESAMPLES, len(corrected)))
    other = one if paired else rng.integers(0, len(uncorrected), (RESAMPLES, len(uncorrected)))
    resampled = certainty_equivalent(corrected[one], risk) - certainty_equivalent(uncorrected[other], risk)
    low, high = np.percentile(resampled, [2.5, 97.5])
    value = certainty_equivalent(corrected, risk) - certainty_equivalent(uncorrected, risk)
    return Estimate(float(value), float(low), float(high))


def _difference(one: Estimate, other: Estimate) -> Estimate:
    value = one.value - other.value
    below = float(np.hypot(one.value - one.low, other.high - other.value))
    above = float(np.hypot(one.high - one.value, other.value - other.low))
    return Estimate(value, value - below, value + above)
