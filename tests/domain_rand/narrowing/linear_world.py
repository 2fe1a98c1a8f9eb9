"""y = a·θ + noise with a uniform prior far wider than the posterior: everything is known in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from domain_rand.narrowing.prior import Prior
from domain_rand.randomizer import Randomization

NOISE = 0.5


def uniform_prior(**ranges: tuple[float, float]) -> Prior:
    """A prior over masses of links named like the parameters."""
    entries = {
        name: {
            "parameter": "link_mass",
            "select": name,
            "unit": "kg",
            "draw": {"distribution": "uniform", "low": low, "high": high},
        }
        for name, (low, high) in ranges.items()
    }
    return Prior(Randomization.parse({"parameters": entries}), tuple(ranges))


class Line(NamedTuple):
    """One data set of the line, and its posterior."""

    inputs: np.ndarray
    outputs: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.inputs @ self.outputs / (self.inputs @ self.inputs))

    @property
    def sd(self) -> float:
        return float(NOISE / np.sqrt(self.inputs @ self.inputs))

    def log_likelihood(self, prior: Prior, points: np.ndarray) -> np.ndarray:
        thetas = np.array([prior.values(point)["a"] for point in points])
        return -0.5 * (((self.outputs - thetas[:, None] * self.inputs) / NOISE) ** 2).sum(1)


def line(theta: float, seed: int, count: int = 10) -> Line:
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(0.5, 1.5, count)
    return Line(inputs, theta * inputs + NOISE * rng.standard_normal(count))
