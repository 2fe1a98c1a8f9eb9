"""A posterior as a `randomization.yaml`: each parameter's own distribution, and the correlations that join them."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from domain_rand.copula import CorrelatedGroup
from domain_rand.distributions import Choice, Distribution, Mixture, Normal
from domain_rand.narrowing.prior import UNIFORM_SD, Prior, scores
from domain_rand.randomizer import Randomization

SAME = 0.9
"""A parameter with more than this share of its prior spread keeps its prior distribution."""

RELATED = 0.05
"""Correlations smaller than this are noise of the particles."""

NARROWEST = 1e-6
"""Least spread of a parameter, as a share of its support."""

GROUP = "identified"


def written(points: np.ndarray, prior: Prior) -> Randomization:
    """Return the randomization whose worlds are distributed like the particles `[n, parameters]` of the prior's cube.

    What was not identified stays as it is; entries drawn for each joint or link become one entry each. Members of a
    group are drawn together with the particles' rank correlation, in place of the prior's groups.
    """
    entries: dict[str, Any] = dict(prior.randomization.parameters)
    for i, name in enumerate(prior.names):
        draw = narrowed(points[:, i], prior.randomization.parameters[name].draw)
        entries[name] = entries[name].model_copy(update={"draw": draw})
    groups = {
        label: group for label, group in prior.randomization.groups.items() if not set(group.members) & set(prior.names)
    }
    joined = _group(points, prior)
    return prior.randomization.model_copy(
        update={"parameters": entries, "groups": groups | ({GROUP: joined} if joined else {})}
    )


def narrowed(column: np.ndarray, prior: Distribution) -> Distribution:
    """Return one parameter's distribution: the prior where it hardly narrowed, else normals inside its support."""
    if column.std() > SAME * UNIFORM_SD:
        return prior
    match prior:
        case Choice():
            drawn = [prior.quantile(u) for u in column.tolist()]
            return prior.model_copy(
                update={"weights": tuple(drawn.count(value) / len(drawn) for value in prior.values)}
            )
        case Mixture():
            return _mixture(column, prior)
        case _:
            return _normal(np.array([prior.quantile(u) for u in column.tolist()]), prior.support)


def _mixture(column: np.ndarray, prior: Mixture) -> Distribution:
    """Narrow each component by the particles inside it, weighted by how many there are."""
    weights = np.array(prior.weights or (1.0,) * len(prior.components))
    edges = np.cumsum(weights / weights.sum())
    owner = np.minimum(np.searchsorted(edges, column, side="right"), len(edges) - 1)
    values = np.array([prior.quantile(u) for u in column.tolist()])
    components, shares = [], []
    for i, component in enumerate(prior.components):
        inside = values[owner == i]
        if len(inside) > 1:
            chosen = component if isinstance(component, Choice) else _normal(inside, component.support)
            components.append(chosen)
            shares.append(len(inside) / len(values))
    if len(components) == 1:
        return components[0]
    return prior.model_copy(update={"components": tuple(components), "weights": tuple(shares)})


def _normal(values: np.ndarray, support: tuple[float, float]) -> Normal:
    """Return the normal, cut at the support, that has these values' mean and deviation as nearly as possible."""
    low, high = support
    width = high - low if np.isfinite(high - low) else max(float(np.ptp(values)), 1e-12)
    wanted = float(values.mean()), max(float(values.std()), NARROWEST * width)
    mean, sd = wanted
    for _ in range(60):
        held_mean, held_sd = cut_moments(mean, sd, low, high)
        mean = min(max(mean + 0.5 * (wanted[0] - held_mean), wanted[0] - width), wanted[0] + width)
        sd = min(max(sd * (wanted[1] / held_sd) ** 0.5, NARROWEST * width), width)
    ends = [edge if np.isfinite(edge) else None for edge in support]
    return Normal(mean=mean, std=sd, low=ends[0], high=ends[1])


def cut_moments(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation of N(mean, sd²) cut at `low` and `high`."""
    normal = NormalDist()
    a, b = max((low - mean) / sd, -37.0), min((high - mean) / sd, 37.0)
    mass = max(normal.cdf(b) - normal.cdf(a), 1e-300)
    pa, pb = normal.pdf(a), normal.pdf(b)
    shift = (pa - pb) / mass
    variance = 1 + (a * pa - b * pb) / mass - shift**2
    return mean + sd * shift, sd * max(variance, 1e-12) ** 0.5


def _group(points: np.ndarray, prior: Prior) -> CorrelatedGroup | None:
    """The parameters that go together, with the correlation of their normal scores; None where none do."""
    order = np.argsort(np.argsort(points, axis=0), axis=0)
    matrix = np.atleast_2d(np.corrcoef(scores((order + 0.5) / len(points)), rowvar=False))
    smooth = [
        i for i, name in enumerate(prior.names) if not isinstance(prior.randomization.parameters[name].draw, Choice)
    ]
    strong = np.abs(matrix - np.eye(len(matrix))) > max(RELATED, 3 / np.sqrt(len(points)))
    members = [i for i in smooth if strong[i].any()]
    if len(members) < 2:
        return None
    kept = _definite(matrix[np.ix_(members, members)])
    names = tuple(prior.names[i] for i in members)
    return CorrelatedGroup.parse({"members": names, "correlation": kept}, GROUP)


def _definite(matrix: np.ndarray) -> list[list[float]]:
    """Return a correlation matrix in plain numbers, shrunk where it is barely one."""
    shrink = 0.0
    while np.linalg.eigvalsh((1 - shrink) * matrix + shrink * np.eye(len(matrix)))[0] < 1e-4:
        shrink = 2 * shrink or 1e-4
    rows = np.round((1 - shrink) * matrix, 6)
    rows = 0.5 * (rows + rows.T)
    np.fill_diagonal(rows, 1.0)
    return rows.tolist()
