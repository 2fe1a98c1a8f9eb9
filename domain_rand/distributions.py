"""Scalar distributions as quantile functions: one uniform number in, one physical value out.

A draw is `quantile(u)`. So a world needs one keyed uniform per parameter, draws are independent of order, and
stratified or worst-case samplers only change where the uniforms come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field, model_validator

from domain_rand.schema import Schema

_EPS = 1e-12


class Uniform(Schema):
    """Equal density on [low, high]."""

    distribution: Literal["uniform"] = "uniform"
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        _require(self.low <= self.high, f"low {self.low} is above high {self.high}")
        return self

    def quantile(self, u: float) -> float:
        return self.low + u * (self.high - self.low)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


class LogUniform(Schema):
    """Equal density of the logarithm on [low, high]; both positive."""

    distribution: Literal["log_uniform"] = "log_uniform"
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> LogUniform:
        _require(self.low <= self.high, f"low {self.low} is above high {self.high}")
        return self

    def quantile(self, u: float) -> float:
        return self.low * (self.high / self.low) ** u

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


class Normal(Schema):
    """Gaussian, cut at `low` and `high` where given (the mass outside is redistributed inside)."""

    distribution: Literal["normal"] = "normal"
    mean: float
    std: float = Field(gt=0)
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Normal:
        low, high = self._cut
        _require(low < high, f"no mass between low {self.low} and high {self.high}")
        return self

    def quantile(self, u: float) -> float:
        low, high = self._cut
        p = min(max(low + u * (high - low), _EPS), 1 - _EPS)
        value = NormalDist(self.mean, self.std).inv_cdf(p)
        return min(max(value, self.support[0]), self.support[1])

    @property
    def support(self) -> tuple[float, float]:
        return (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)

    @cached_property
    def _cut(self) -> tuple[float, float]:
        normal = NormalDist(self.mean, self.std)
        return (
            0.0 if self.low is None else normal.cdf(self.low),
            1.0 if self.high is None else normal.cdf(self.high),
        )


class Choice(Schema):
    """One of a few values, with optional weights."""

    distribution: Literal["choice"] = "choice"
    values: tuple[float, ...] = Field(min_length=1)
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _matched(self) -> Choice:
        _check_weights(self.weights, len(self.values))
        return self

    def quantile(self, u: float) -> float:
        index, _ = _pick(self.weights, len(self.values), u)
        return self.values[index]

    @property
    def support(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


class Mixture(Schema):
    """One of several distributions, with optional weights: a gain of either sign, a payload on or off."""

    distribution: Literal["mixture"] = "mixture"
    components: tuple[Uniform | LogUniform | Normal | Choice, ...] = Field(min_length=1)
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _matched(self) -> Mixture:
        _check_weights(self.weights, len(self.components))
        return self

    def quantile(self, u: float) -> float:
        index, rest = _pick(self.weights, len(self.components), u)
        return self.components[index].quantile(rest)

    @property
    def support(self) -> tuple[float, float]:
        supports = [component.support for component in self.components]
        return min(low for low, _ in supports), max(high for _, high in supports)


Distribution = Annotated[Uniform | LogUniform | Normal | Choice | Mixture, Field(discriminator="distribution")]


@dataclass(frozen=True, slots=True)
class Scale:
    """Physical values to numbers around [−1, 1], linearly or in the logarithm."""

    middle: float
    half: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        if self.half == 0:
            return 0.0
        if self.logarithmic:
            _require(value > 0, f"{value:g} has no logarithm, and its distribution is log_uniform")
            value = math.log(value)
        return (value - self.middle) / self.half


def scale_of(distribution: Distribution) -> Scale:
    """Return the scale that takes the central range of a distribution to [−1, 1], in the logarithm for `LogUniform`."""
    low, high = _central(distribution)
    logarithmic = isinstance(distribution, LogUniform)
    if logarithmic:
        low, high = math.log(low), math.log(high)
    return Scale((low + high) / 2, (high - low) / 2, logarithmic)


def _central(distribution: Distribution) -> tuple[float, float]:
    """Return the range of all but the outer 1 %; of a mixture, whose quantile does not rise with u, its components'."""
    if isinstance(distribution, Choice):
        return distribution.support
    if isinstance(distribution, Mixture):
        ranges = [_central(component) for component in distribution.components]
        return min(low for low, _ in ranges), max(high for _, high in ranges)
    return distribution.quantile(0.005), distribution.quantile(0.995)


def _pick(weights: tuple[float, ...] | None, count: int, u: float) -> tuple[int, float]:
    """Return the index that `u` falls on and where inside its slice, in [0, 1)."""
    weights = weights or (1.0,) * count
    position = u * sum(weights)
    for index, weight in enumerate(weights):
        if position < weight or index == count - 1:
            return index, min(position / weight, 1.0) if weight else 0.0
        position -= weight
    raise AssertionError("unreachable: the last slice takes what is left")


def _check_weights(weights: tuple[float, ...] | None, count: int) -> None:
    if weights is not None:
        _require(len(weights) == count, f"{len(weights)} weights for {count} entries")
        _require(sum(weights) > 0, "weights sum to zero")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
