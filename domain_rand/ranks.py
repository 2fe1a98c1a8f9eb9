"""Where a value lies in its distribution: the way back from physical units to [0, 1]."""

from __future__ import annotations

import math
from statistics import NormalDist

from domain_rand.distributions import Choice, Distribution, LogUniform, Mixture, Normal, Uniform
from domain_rand.entries import Entry
from domain_rand.parameters import Randomizable


def rank(distribution: Distribution, value: float) -> float:
    """Return the number in [0, 1] whose quantile is nearest to `value`; 0.5 where every number gives the same."""
    match distribution:
        case Uniform():
            return _share(distribution.low, value, distribution.high)
        case LogUniform():
            inside = max(value, distribution.low)
            return _share(math.log(distribution.low), math.log(inside), math.log(distribution.high))
        case Normal():
            cdf = NormalDist(distribution.mean, distribution.std).cdf
            low, high = distribution.support
            return _share(cdf(low), cdf(value), cdf(high))
        case Choice():
            gaps = [abs(value - candidate) for candidate in distribution.values]
            return _within(distribution.weights, len(gaps), gaps.index(min(gaps)), 0.5)
        case Mixture():
            gaps = [_gap(component, value) for component in distribution.components]
            index = gaps.index(min(gaps))
            return _within(distribution.weights, len(gaps), index, rank(distribution.components[index], value))


def nominal_rank(name: str, entry: Entry, world: Randomizable) -> float:
    """Return where nominal lies in the distribution of an entry called `name`; of several targets, their mean."""
    row = entry.row
    targets = entry.targets(name, world.names(row.group))
    held = [world.nominal(row.group, target, row.field) for target in targets]
    value = {"set": sum(held) / len(held), "scale": 1.0, "add": 0.0}[entry.op]
    return rank(entry.draw, value)


def continuous(distribution: Distribution) -> bool:
    """Whether different numbers in [0, 1] always give different values."""
    return isinstance(distribution, Uniform | LogUniform | Normal) and distribution.support[0] < distribution.support[1]


def _share(low: float, value: float, high: float) -> float:
    return 0.5 if low == high else min(max((value - low) / (high - low), 0.0), 1.0)


def _within(weights: tuple[float, ...] | None, count: int, index: int, part: float) -> float:
    weights = weights or (1.0,) * count
    return (sum(weights[:index]) + part * weights[index]) / sum(weights)


def _gap(distribution: Distribution, value: float) -> float:
    low, high = distribution.support
    return max(low - value, value - high, 0.0)


def between(distribution: Distribution, low: float, high: float) -> Distribution:
    """Return what a distribution is between two of its quantiles: its own quantile low + u · (high − low), for every u.

    A mixture or choice is itself unless the two are equal: then, as with all others, the one value they give.
    """
    ends = distribution.quantile(low), distribution.quantile(high)
    if ends[0] == ends[1]:
        return Choice(values=(ends[0],))
    match distribution:
        case Uniform() | LogUniform():
            return distribution.model_copy(update={"low": ends[0], "high": ends[1]})
        case Normal():
            cut = {"low": ends[0] if low > 0 else distribution.low, "high": ends[1] if high < 1 else distribution.high}
            return distribution.model_copy(update=cut)
        case _:
            return distribution
