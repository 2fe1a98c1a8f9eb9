"""The point that explains the segments best: CMA-ES over the prior's cube, then a few Gauss–Newton steps.

Covariances of errors are one for each segment, `[n, outputs, outputs]`, or one for all, `[outputs, outputs]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from domain_rand.narrowing.information import Information, fisher, for_each, inform, jacobian
from domain_rand.schema import ConfigError
from sdk.identify.starts import own, unexplained

Predict = Callable[[np.ndarray], np.ndarray]
"""From points `[m, parameters]` to outputs `[m, n, outputs]`."""

FLOOR = 1e-5
"""Least standard deviation of an output [rad]: a simulator that explains its own run exactly has none."""

POLISH = 4
SAMPLES_PER_OUTPUT = 3
"""Segments for each output from which on the outputs' covariance is estimated in full."""


class Slopes(NamedTuple):
    """Predictions at a point `[n, outputs]` and their slopes `[n, outputs, parameters]`."""

    at: np.ndarray
    slopes: np.ndarray


class Readings(NamedTuple):
    """What noise of first readings does to outputs `[n, outputs, readings]`, and outputs' own variances `[outputs]`."""

    effects: np.ndarray
    floor: np.ndarray


class Estimate(NamedTuple):
    """The best point, the slopes there, the covariances of what it leaves, and what that says of each parameter.

    `unexplained` `[outputs, outputs]` is the part that first readings do not explain, the same in all segments.
    """

    point: np.ndarray
    slopes: Slopes
    covariance: np.ndarray
    unexplained: np.ndarray
    information: Information
    fisher: np.ndarray


def minimise(
    objective: Callable[[np.ndarray], list[float]],
    start: np.ndarray,
    low: float,
    high: float,
    budget: int,
    seed: int,
    spread: float = 0.2,
) -> np.ndarray:
    """Return where an objective of many points is smallest, by CMA-ES; raises `ConfigError` where it is missing.

    `spread` is that of the first points, as a share of the range.
    """
    try:
        import cma
    except ModuleNotFoundError:
        raise ConfigError("a fit needs 'cma': pip install 'simshift[identify]'") from None
    options = {"bounds": [low, high], "maxfevals": budget, "seed": seed + 1, "verbose": -9, "tolfun": 1e-9}
    if len(start) == 1:  # CMA-ES needs two dimensions
        objective, start = _padded(objective), np.append(start, 0.5 * (low + high))
        return minimise(objective, start, low, high, budget, seed, spread)[:1]
    search = cma.CMAEvolutionStrategy(start, spread * (high - low), options)
    while not search.stop():
        points = search.ask()
        search.tell(points, objective(np.array(points)))
    return np.clip(np.asarray(search.result.xbest), low, high)


def _padded(objective: Callable[[np.ndarray], list[float]]) -> Callable[[np.ndarray], list[float]]:
    return lambda points: objective(points[:, :1])


def misfit(errors: np.ndarray) -> list[float]:
    """Return minus the log likelihood of errors `[m, n, outputs]` whose variances are unknown, up to a constant."""
    count = errors.shape[1]
    return (0.5 * count * np.log((errors**2).mean(1) + FLOOR**2).sum(-1)).tolist()


def surprise(error: np.ndarray, readings: Readings | None) -> float:
    """Return minus the log likelihood of errors `[n, outputs]`, with the covariance that they have themselves.

    Its volume counts: else whatever makes errors larger would have them count less.
    """
    covariance, _ = covariances(error, readings)
    each = for_each(covariance, len(error))
    distance = np.einsum("ni,nij,nj->", error, np.linalg.inv(each), error)
    return float(0.5 * (distance + np.linalg.slogdet(each)[1].sum()))


def covariance_of(errors: np.ndarray, fitted: int = 0) -> np.ndarray:
    """Return the second moments `[outputs, outputs]` of errors `[n, outputs]`; of few segments the diagonal alone.

    A fit of so many parameters has made the errors smaller than they are.
    """
    left = max(len(errors) - fitted / errors.shape[1], 1.0)
    moments = errors.T @ errors / left + FLOOR**2 * np.eye(errors.shape[1])
    return moments if len(errors) >= SAMPLES_PER_OUTPUT * errors.shape[1] else np.diag(np.diagonal(moments))


def covariances(errors: np.ndarray, readings: Readings | None, fitted: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance of each segment's errors, and the part of it that first readings do not explain."""
    moments = covariance_of(errors, fitted)
    if readings is None:
        return moments, moments
    rest = unexplained(moments, readings.effects, readings.floor)
    return rest + own(readings.effects), rest


def sensitivity(
    predict: Predict,
    target: np.ndarray,
    point: np.ndarray,
    names: tuple[str, ...],
    step: float,
    readings: Readings | None = None,
) -> Estimate:
    """Return what segments tell at a point, before any fit.

    Errors are those that would be left after the best linear step, so that a wrong start does not look like noise.
    """
    slopes = Slopes(*jacobian(predict, point, step))
    error = slopes.at - target
    move = _linear_step(slopes.slopes, error, covariance_of(error))
    return _estimate(point, slopes, error + slopes.slopes @ move, names, readings)


def polish(
    predict: Predict,
    target: np.ndarray,
    start: np.ndarray,
    names: tuple[str, ...],
    step: float,
    times: int = POLISH,
    readings: Readings | None = None,
) -> Estimate:
    """Return the estimate after Gauss–Newton steps from a start, each halved until it helps; ends where none does."""

    def at(point: np.ndarray) -> Estimate:
        slopes = Slopes(*jacobian(predict, point, step))
        return _estimate(point, slopes, slopes.at - target, names, readings)

    now = at(start)
    for _ in range(times):
        move = _linear_step(now.slopes.slopes, now.slopes.at - target, now.covariance)
        tries = np.clip(now.point + move * np.array([1.0, 0.5, 0.25, 0.1])[:, None], 0.0, 1.0)
        costs = [surprise(outputs - target, readings) for outputs in predict(tries)]
        if min(costs) > surprise(now.slopes.at - target, readings) - 1e-2:
            return now
        now = at(tries[int(np.argmin(costs))])
    return now


def _estimate(
    point: np.ndarray, slopes: Slopes, errors: np.ndarray, names: tuple[str, ...], readings: Readings | None
) -> Estimate:
    covariance, rest = covariances(errors, readings, len(point))
    information = fisher(slopes.slopes, covariance)
    return Estimate(point, slopes, covariance, rest, inform(names, information), information)


def _linear_step(slopes: np.ndarray, error: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the least-squares step; along what nothing tells about, none."""
    pull = np.einsum("nip,nij,nj->p", slopes, for_each(np.linalg.inv(covariance), len(error)), error)
    held = fisher(slopes, covariance)
    return -np.linalg.solve(held + np.eye(len(held)), pull)


def log_likelihood(outputs: np.ndarray, target: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the Gaussian log likelihood `[m]` of outputs `[m, n, outputs]`, up to a constant."""
    weight = for_each(np.linalg.inv(covariance), len(target))
    error = outputs - target
    return -0.5 * np.einsum("mni,nij,mnj->m", error, weight, error, optimize=True)
