"""Reward terms: bounded functions of physical quantities, each a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, exp
from operator import mul


def closeness(error: float, sharpness: float) -> float:
    """Return exp(−sharpness · error²): 1 on target, falling smoothly to 0. Sharpness in 1/unit²."""
    return exp(-sharpness * error * error)


def tolerance(value: float, low: float, high: float, margin: float) -> float:
    """Return 1 inside [low, high], falling smoothly outside to 0.1 at a distance of `margin`, all in one unit."""
    if low <= value <= high:
        return 1.0
    return 0.1 ** ((low - value if value < low else value - high) / margin) ** 2


def upright(cosine: float) -> float:
    """Return 1 for a body that stands, 0 for one that hangs; `cosine` of its angle to the vertical."""
    return (1.0 + cosine) / 2.0


def effort(action: Sequence[float]) -> float:
    """Return the sum of squared normalised actions: 0 at rest, 1 per joint at full command."""
    return sum(map(mul, action, action))


def restlessness(action: Sequence[float], before: Sequence[float]) -> float:
    """Return the mean squared change of a normalised action: 0 when it stays, 4 when every joint reverses."""
    return dist(action, before) ** 2 / len(action)


def nearness(error: float, reach: float) -> float:
    """Return 1 without error, falling linearly to 0 at an error of `reach`, and 0 beyond: equal pull all the way."""
    return max(0.0, 1.0 - abs(error) / reach)


def progress(speed: float, full_speed: float) -> float:
    """Return the share of `full_speed` that is made, in [−1, 1]: all of it or more is 1, backward is negative."""
    return min(max(speed / full_speed, -1.0), 1.0)
