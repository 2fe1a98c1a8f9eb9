"""Reward terms: bounded functions of physical quantities, each a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp


def closeness(error: float, sharpness: float) -> float:
    """Return exp(−sharpness · error²): 1 on target, falling smoothly to 0. Sharpness in 1/unit²."""
    return exp(-sharpness * error * error)


def effort(action: Sequence[float]) -> float:
    """Return the sum of squared normalised actions: 0 at rest, 1 per joint at full command."""
    return sum(a * a for a in action)
