"""Automatic domain randomisation: ranges that grow where the policy copes and shrink where it does not.

Akkaya et al. 2019 (OpenAI), "Solving Rubik's cube with a robot hand", https://arxiv.org/abs/1910.07113, algorithm 1

    every parameter i has a range [low_i, high_i] around nominal               `Ranges`, `start`
    for each world:
        draw every parameter uniformly within its range                        `Adr.uniforms`
        with probability p, move one parameter onto one of its two boundaries  `Adr.boundary`
        roll out; on a boundary, append the performance to its queue           `Adr.recorded`
        when the queue holds m results: clear it, and
            mean ≥ t_high: widen by Δ        mean ≤ t_low: narrow by Δ
    entropy = mean of log(high_i − low_i)                                      `entropy`

Deviations: ranges live in the quantiles of each parameter's distribution, so Δ is a share of the full range whatever
the unit, and the full range is where a boundary ends; no range shrinks past nominal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from domain_rand.keys import uniform_of
from domain_rand.parameters import Randomizable
from domain_rand.plain import Plain, task_names
from domain_rand.randomizer import Randomization
from domain_rand.ranks import nominal_rank
from domain_rand.schema import ConfigError, Schema

Side = Literal["low", "high"]
MIN_WIDTH = 1e-3
"""Width that a narrower range counts as in the entropy, which would be −∞ at nominal."""


class Boundary(NamedTuple):
    """One end of one parameter's range."""

    name: str
    side: Side


class AdrSettings(Schema):
    """What the curriculum is driven by; thresholds are in the unit of the performance reported."""

    threshold_low: float
    threshold_high: float
    probability: float = Field(default=0.5, gt=0, le=1)
    queue: int = Field(default=10, ge=1)
    step: float = Field(default=0.02, gt=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> AdrSettings:
        if self.threshold_low > self.threshold_high:
            raise ValueError(f"threshold_low {self.threshold_low} is above threshold_high {self.threshold_high}")
        return self

    def direction(self, performance: float) -> int:
        """Return which way a boundary moves after this mean performance: 1 outwards, −1 inwards, 0 not at all."""
        if performance >= self.threshold_high:
            return 1
        return -1 if performance <= self.threshold_low else 0


class Range(Schema):
    """The quantiles that one parameter is drawn from, and the performance on each boundary since it last moved."""

    nominal: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    low_queue: tuple[float, ...] = ()
    high_queue: tuple[float, ...] = ()

    def recorded(self, side: Side, performance: float, settings: AdrSettings) -> Range:
        """Return the range after one result on a boundary, moved when that filled its queue."""
        queue = (*(self.low_queue if side == "low" else self.high_queue), performance)
        if len(queue) < settings.queue:
            return self.model_copy(update={f"{side}_queue": queue})
        by = settings.step * settings.direction(sum(queue) / len(queue))
        return self.model_copy(update={f"{side}_queue": (), side: self._moved(side, by)})

    def _moved(self, side: Side, by: float) -> float:
        if side == "low":
            return min(max(self.low - by, 0.0), self.nominal)
        return max(min(self.high + by, 1.0), self.nominal)


class Ranges(Schema):
    """The state of the curriculum: plain data, for the checkpoint (`plain` and `parse`)."""

    ranges: dict[str, Range]


def start(randomization: Randomization, world: Randomizable) -> Ranges:
    """Return ranges that hold nothing but nominal, of every parameter drawn once for each world."""
    entries = randomization.parameters
    ranks = {name: nominal_rank(name, entries[name], world) for name in task_names(randomization)}
    return Ranges(ranges={name: Range(nominal=rank, low=rank, high=rank) for name, rank in ranks.items()})


def entropy(state: Ranges) -> float:
    """Return the mean log width of the ranges [nats]; 0 is the full range of everything."""
    widths = [max(r.high - r.low, MIN_WIDTH) for r in state.ranges.values()]
    return sum(map(math.log, widths)) / len(widths)


@dataclass(frozen=True)
class Adr:
    """The sampler at one moment of the curriculum; `recorded` returns the next."""

    randomization: Randomization
    settings: AdrSettings
    state: Ranges

    def __post_init__(self) -> None:
        for name in self.state.ranges.keys() - set(task_names(self.randomization)):
            raise ConfigError(f"the curriculum has a range for '{name}', which is not drawn per task here")

    def boundary(self, seed: int, index: int, stream: str = "train") -> Boundary | None:
        """Return the boundary that world `index` probes, if it does; its performance belongs to `recorded`."""
        place = uniform_of(f"{seed}/{stream}/{index}+boundary") / self.settings.probability
        if place >= 1:
            return None
        sides = [Boundary(name, side) for name in sorted(self.state.ranges) for side in ("low", "high")]
        return sides[int(place * len(sides))]

    def uniforms(self, seed: int, index: int, stream: str = "train") -> dict[str, float]:
        """Return the uniforms of world `index` within the ranges as they are, by name."""
        free, ranges = Plain(self.randomization).uniforms(seed, index, stream), self.state.ranges
        places = free | {name: r.low + free[name] * (r.high - r.low) for name, r in ranges.items()}
        if probed := self.boundary(seed, index, stream):
            places[probed.name] = getattr(ranges[probed.name], probed.side)
        return places

    def recorded(self, boundary: Boundary | None, performance: float) -> Adr:
        """Return the sampler after one world; without a boundary nothing has been learnt about the ranges."""
        if boundary is None:
            return self
        if not math.isfinite(performance):
            raise ValueError(f"performance on {boundary.side} of {boundary.name} is {performance}")
        name, side = boundary
        moved = self.state.ranges[name].recorded(side, performance, self.settings)
        return replace(self, state=Ranges(ranges=self.state.ranges | {name: moved}))
