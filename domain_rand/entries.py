"""One randomised quantity as written in YAML: which row of the table, of what, how often, drawn from where."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from glob import escape
from typing import Annotated, Literal

from pydantic import Field, model_validator

from domain_rand.distributions import Distribution
from domain_rand.parameters import TABLE, Op, Parameter
from domain_rand.schema import ConfigError, Schema, nearest

When = Literal["once", "task", "episode", "interval"]
"""How long a drawn value lives: all worlds of a stream, one world, one episode, or until the next change within it."""


class Entry(Schema):
    """One randomised quantity: a row of the table, the names it applies to, and its distribution.

    `each` draws for every selected name of its own, instead of once for all. `interval` entries draw again after
    `every: [low, high]` seconds (uniform, then counted from that change); `start` is their value until the first
    change, drawn like the others where absent.
    """

    parameter: str
    select: str = "*"
    op: Op = "set"
    unit: str
    draw: Distribution
    when: When = "task"
    every: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    start: float | None = None
    each: bool = False

    @model_validator(mode="after")
    def _known(self) -> Entry:
        if self.parameter not in TABLE:
            raise ValueError(f"unknown parameter '{self.parameter}'; {nearest(self.parameter, tuple(TABLE))}")
        row = TABLE[self.parameter]
        expected = "1" if self.op == "scale" else row.unit
        if "signal unit" not in expected and self.unit != expected:
            raise ValueError(f"unit '{self.unit}' for {self.parameter} ({self.op}); valid: '{expected}'")
        if self.op == "set":
            for edge in (*self.draw.support, *(() if self.start is None else (self.start,))):
                row.check(edge, "range")
        return self

    @model_validator(mode="after")
    def _timed(self) -> Entry:
        if self.when != "interval" and (self.every, self.start) != (None, None):
            raise ValueError(f"'every' and 'start' belong to 'when: interval', not to 'when: {self.when}'")
        if self.when == "interval" and self.every is None:
            raise ValueError("'when: interval' needs 'every: [low, high]' in seconds")
        if self.every is not None and self.every[0] > self.every[1]:
            raise ValueError(f"every: {self.every[0]} s is above {self.every[1]} s")
        return self

    @property
    def row(self) -> Parameter:
        return TABLE[self.parameter]

    def targets(self, name: str, available: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names this entry, called `name`, selects; raises `ConfigError` when there are none."""
        chosen = _matching(self.select, available)
        if not chosen:
            hint = nearest(self.select, available)
            raise ConfigError(f"{name}: select '{self.select}' matches no {self.row.group}; {hint}")
        return chosen

    def expanded(self, name: str, available: tuple[str, ...]) -> dict[str, Entry]:
        """Return what this entry, called `name`, stands for: itself, or with `each` one entry for every target."""
        if not self.each:
            return {name: self}
        return {
            f"{name}/{target}": self.model_copy(update={"select": escape(target), "each": False})
            for target in self.targets(name, available)
        }


@lru_cache(maxsize=4096)
def _matching(select: str, available: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in available if fnmatchcase(name, select))
