"""What measurements can tell about parameters before any fit: Fisher information, and which parameters hide each other.

Information is about coordinates of the prior's cube (`Prior`), so that 1 is the whole prior range of any parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from domain_rand.narrowing.prior import UNIFORM_SD

BLIND = 0.9
"""A parameter keeps more than this share of its prior spread with all others known: nothing tells about it."""

VAGUE = 0.5
"""A parameter keeps more than this share with the others unknown: it is hardly told."""

CONFOUNDED = 0.9
"""Size of the correlation from which two parameters count as hiding each other."""

Verdict = Literal["identified", "vague", "confounded", "blind"]


@dataclass(frozen=True)
class Information:
    """What is known of each parameter; arrays `[parameters]`, shares of the prior's standard deviation.

    `alone` is the spread left if all others were known, `together` that with all unknown; `correlation` is that of the
    inverse information.
    """

    names: tuple[str, ...]
    alone: np.ndarray
    together: np.ndarray
    correlation: np.ndarray

    @property
    def pairs(self) -> list[tuple[str, str, float]]:
        """Parameters that hide each other, with their correlation; the closest first."""
        places = zip(*np.triu_indices(len(self.names), 1), strict=True)
        found = [(self.names[i], self.names[j], float(self.correlation[i, j])) for i, j in places]
        return sorted((pair for pair in found if abs(pair[2]) > CONFOUNDED), key=lambda pair: -abs(pair[2]))

    def verdict(self, name: str) -> Verdict:
        """Return whether a parameter can be identified; `confounded`: only together with others."""
        i = self.names.index(name)
        if self.alone[i] > BLIND:
            return "blind"
        if self.together[i] <= VAGUE:
            return "identified"
        return "confounded" if self.alone[i] <= VAGUE else "vague"


def fisher(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return Σ JᵀC⁻¹J over measurements, of `jacobian` `[n, outputs, parameters]`.

    C is one `covariance` `[outputs, outputs]` for all measurements, or `[n, outputs, outputs]`.
    """
    weight = for_each(np.linalg.inv(covariance), len(jacobian))
    return np.einsum("nip,nij,njq->pq", jacobian, weight, jacobian, optimize=True)


def for_each(matrix: np.ndarray, count: int) -> np.ndarray:
    """Return one matrix for each measurement `[count, outputs, outputs]`, of such or of one for all."""
    return np.broadcast_to(matrix, (count, *matrix.shape[-2:]))


def inform(names: tuple[str, ...], information: np.ndarray) -> Information:
    """Return what Fisher information `[parameters, parameters]` on the cube says, on top of the prior."""
    held = information + np.eye(len(names)) / UNIFORM_SD**2
    covariance = np.linalg.inv(held)
    spread = np.sqrt(np.diagonal(covariance))
    alone = 1 / np.sqrt(np.diagonal(held))
    return Information(names, alone / UNIFORM_SD, spread / UNIFORM_SD, covariance / np.outer(spread, spread))


def jacobian(
    predict: Callable[[np.ndarray], np.ndarray], point: np.ndarray, step: float = 0.02
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions `[n, outputs]` at a point of the cube, and their slopes `[n, outputs, parameters]`.

    `predict` takes points `[m, parameters]` and returns `[m, n, outputs]`; all are asked for at once. Differences are
    central, and one-sided at the cube's faces.
    """
    k = len(point)
    steps = np.concatenate([np.eye(k), -np.eye(k)]) * step
    points = np.clip(np.concatenate([point[None], point + steps]), 0.0, 1.0)
    results = predict(points)
    widths = np.array([points[1 + i, i] - points[1 + k + i, i] for i in range(k)])
    slopes = (results[1 : 1 + k] - results[1 + k :]) / widths[:, None, None]
    return results[0], np.moveaxis(slopes, 0, -1)
