"""A prior as a unit cube: coordinate i is the quantile of parameter i, so that no step leaves the prior's support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from statistics import NormalDist

import numpy as np

from domain_rand.randomizer import Randomization
from domain_rand.ranks import rank
from domain_rand.schema import ConfigError, nearest

UNIFORM_SD = 1 / sqrt(12)
"""Standard deviation of a uniform coordinate: the prior's, whatever the parameter."""

_NORMAL = NormalDist()
_EDGE = 1e-9


@dataclass(frozen=True)
class Prior:
    """Some parameters of a bound randomization, in the order of `names`; points are `[…, parameters]` in [0, 1]."""

    randomization: Randomization
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in self.randomization.parameters:
                raise ConfigError(f"unknown parameter '{name}'; {nearest(name, self.randomization.names)}")

    def values(self, point: Sequence[float] | np.ndarray) -> dict[str, float]:
        """Return the physical values at a point of the cube."""
        entries = self.randomization.parameters
        inside = np.clip(point, 0.0, 1.0).tolist()
        return {name: entries[name].draw.quantile(u) for name, u in zip(self.names, inside, strict=True)}

    def point(self, values: Mapping[str, float]) -> np.ndarray:
        """Return the point whose values are nearest to these."""
        return np.array([rank(self.randomization.parameters[name].draw, values[name]) for name in self.names])

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return `[count, parameters]` points drawn from the prior."""
        normals = rng.standard_normal((count, len(self.names))) @ np.linalg.cholesky(self.correlation).T
        return uniforms(normals)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Return the log density of points `[n, parameters]`: 0 where parameters are independent, −∞ outside."""
        normals = scores(points)
        precision = np.linalg.inv(self.correlation) - np.eye(len(self.names))
        density = -0.5 * np.einsum("ni,ij,nj->n", normals, precision, normals)
        inside = ((points >= 0) & (points <= 1)).all(1)
        return np.where(inside, density - 0.5 * np.linalg.slogdet(self.correlation)[1], -np.inf)

    @cached_property
    def correlation(self) -> np.ndarray:
        """Correlation of the underlying normals, from the randomization's groups."""
        matrix = np.eye(len(self.names))
        place = {name: i for i, name in enumerate(self.names)}
        for group in self.randomization.groups.values():
            held = [(place[name], j) for j, name in enumerate(group.members) if name in place]
            for a, i in held:
                for b, j in held:
                    matrix[a, b] = group.matrix[i, j]
        return matrix


def scores(points: np.ndarray) -> np.ndarray:
    """Return the standard normals whose distribution function gives these uniforms."""
    flat = [_NORMAL.inv_cdf(min(max(u, _EDGE), 1 - _EDGE)) for u in np.ravel(points).tolist()]
    return np.reshape(flat, np.shape(points))


def uniforms(normals: np.ndarray) -> np.ndarray:
    """Return the distribution function of standard normals."""
    return np.reshape([_NORMAL.cdf(z) for z in np.ravel(normals).tolist()], np.shape(normals))
