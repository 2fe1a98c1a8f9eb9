"""Worlds to train on, worlds held out among them, and worlds beyond: disjoint by construction.

*Train and test* share the range of every parameter but no world. Cut each parameter's range into `cells` of equal
probability; a world lies in one cell per parameter, and the sum of the cell numbers modulo `cells` says whose it is:
the last residue is test's, all others are train's. Every single parameter then still follows its own distribution in
both parts (with one parameter alone, test is the top cell), and a test world differs from every training world.

*Out of distribution* is a randomization of its own, whose parameters lie outside the training range.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

from domain_rand.distributions import Distribution, LogUniform, Mixture, Uniform
from domain_rand.entries import Entry
from domain_rand.plain import task_names
from domain_rand.randomizer import Randomization
from domain_rand.ranks import continuous
from domain_rand.schema import ConfigError, nearest

_EDGE = 1e-9
"""Share of a cell left free at both ends, so that rounding moves no world into the next cell."""
_GAP = 1e-6
"""Distance of the outer worlds from the training range, in half-widths of the latter."""


@dataclass(frozen=True)
class Split:
    """The worlds of one part of a randomization; test has 1/`cells` of them. Discrete parameters are in both parts."""

    randomization: Randomization
    part: Literal["train", "test"]
    cells: int = 5

    def __post_init__(self) -> None:
        if self.cells < 2:
            raise ConfigError(f"cells = {self.cells}; valid: 2 or more")
        if not self.axes:
            raise ConfigError("nothing to split: no parameter is drawn per task from a continuous distribution")

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Names whose cells decide the part."""
        smooth = {name for name, entry in self.randomization.parameters.items() if continuous(entry.draw)}
        for group in self.randomization.groups.values():
            if not smooth.issuperset(group.members):  # equal values may then come of different uniforms
                smooth -= set(group.members)
        return tuple(name for name in task_names(self.randomization) if name in smooth)

    def uniforms(self, seed: int, index: int, stream: str = "train") -> dict[str, float]:
        """Return the uniforms of world `index` of this part, by name."""
        raw = self.randomization.raw_uniforms(seed, index, stream)
        pivot, *others = self.axes
        residue, inside = self._residue(raw[pivot])
        cell = (residue - sum(int(raw[name] * self.cells) for name in others)) % self.cells
        raw[pivot] = (cell + inside) / self.cells
        places = self.randomization.correlated(raw)
        return {name: places[name] for name in task_names(self.randomization)}

    def _residue(self, uniform: float) -> tuple[int, float]:
        """Return one of the part's residues and a place inside a cell, both from one uniform."""
        share = uniform * (self.cells - 1 if self.part == "train" else 1)
        inside = min(max(share - int(share), _EDGE), 1 - _EDGE)
        return (int(share) if self.part == "train" else self.cells - 1), inside


def out_of_distribution(
    randomization: Randomization, factor: float = 1.5, names: Collection[str] | None = None
) -> Randomization:
    """Return the worlds that lie outside the range of training, up to `factor` times its half-width from its middle.

    What a mixture leaves free between its components lies outside, too. Widths of `log_uniform` and of positive scales
    are those of the logarithm. Without `names`, every parameter that
    has room within physics moves out and the rest stays; what `scale` and `add` may reach only a world knows, so there
    `apply` refuses. Raises `ConfigError` for a factor up to 1, and when a parameter has no room.
    """
    if factor <= 1:
        raise ConfigError(f"factor = {factor:g}; valid: above 1")
    chosen = randomization.names if names is None else names
    for name in chosen:
        if name not in randomization.parameters:
            raise ConfigError(f"unknown parameter '{name}'; {nearest(name, randomization.names)}")
    outer = {name: _moved_out(randomization.parameters[name], factor) for name in chosen}
    stuck = [name for name, entry in outer.items() if entry is None]
    if stuck and (names is not None or len(stuck) == len(outer)):
        raise ConfigError(f"nothing lies outside {', '.join(stuck)}: unbounded, a single value, or all of physics")
    moved = {name: entry for name, entry in outer.items() if entry is not None}
    return randomization.model_copy(update={"parameters": randomization.parameters | moved})


def _moved_out(entry: Entry, factor: float) -> Entry | None:
    low, high = entry.draw.support
    logarithmic = isinstance(entry.draw, LogUniform) or (entry.op == "scale" and low > 0)
    to, back = (math.log, math.exp) if logarithmic else (float, float)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return None
    half = (to(high) - to(low)) / 2
    shells = [
        (back(to(low) - (factor - 1) * half), back(to(low) - _GAP * half)),
        (back(to(high) + _GAP * half), back(to(high) + (factor - 1) * half)),
        *((a + _GAP * half, b - _GAP * half) for a, b in _gaps(entry.draw)),
    ]
    inside = [_clipped(entry, *shell) for shell in shells]
    kind = LogUniform if logarithmic else Uniform
    components = tuple(kind(low=a, high=b) for a, b in inside if a < b)
    return entry.model_copy(update={"draw": Mixture(components=components)}) if components else None


def _gaps(draw: Distribution) -> list[tuple[float, float]]:
    """Return the intervals between a mixture's components, none for any other distribution."""
    supports = sorted(component.support for component in draw.components) if isinstance(draw, Mixture) else []
    reached = accumulate((high for _, high in supports), max)
    return [(high, low) for high, (low, _) in zip(reached, supports[1:], strict=False) if high < low]


def _clipped(entry: Entry, low: float, high: float) -> tuple[float, float]:
    return (max(low, entry.row.low), min(high, entry.row.high)) if entry.op == "set" else (low, high)
