"""Draw a world by key, apply it from nominal, read it back.

The key is (seed, stream, index, parameter name). Equal keys give equal values in every process and in any order;
held-out worlds are another stream, not another seed that might collide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
from pydantic import Field, model_validator

from domain_rand.distributions import Distribution, normalize
from domain_rand.parameters import TABLE, Op, Parameter, Randomizable, combine, same
from domain_rand.schema import ConfigError, Schema, nearest


class Entry(Schema):
    """One randomised quantity: a row of the table, the names it applies to, and its distribution."""

    parameter: str
    select: str = "*"
    op: Op = "set"
    unit: str
    draw: Distribution

    @model_validator(mode="after")
    def _known(self) -> Entry:
        if self.parameter not in TABLE:
            raise ValueError(f"unknown parameter '{self.parameter}'; {nearest(self.parameter, tuple(TABLE))}")
        row = TABLE[self.parameter]
        expected = "1" if self.op == "scale" else row.unit
        if "signal unit" not in expected and self.unit != expected:
            raise ValueError(f"unit '{self.unit}' for {self.parameter} ({self.op}); valid: '{expected}'")
        if self.op == "set":
            for edge in self.draw.support:
                row.check(edge, "range")
        return self

    @property
    def row(self) -> Parameter:
        return TABLE[self.parameter]


@dataclass(frozen=True)
class Context:
    """The hidden physical parameters of one task: by name in physical units, and as a vector around [−1, 1]."""

    params: dict[str, float]
    normalized: np.ndarray


class Randomization(Schema):
    """A distribution over worlds, as written in a robot's `randomization.yaml`."""

    version: int = Field(default=1, ge=1, le=1)
    parameters: dict[str, Entry]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.parameters))

    def draw(self, seed: int, index: int, stream: str = "train", fixed: Mapping[str, float] | None = None) -> Context:
        """Draw world `index` of a stream; `fixed` overrides single parameters in physical units.

        Raises `ConfigError` for a fixed name that is not randomised here; `apply` checks fixed values against physics.
        """
        fixed = fixed or {}
        for name in fixed:
            if name not in self.parameters:
                raise ConfigError(f"params: unknown parameter '{name}'; {nearest(name, self.names)}")
        params = {
            name: float(fixed[name])
            if name in fixed
            else self.parameters[name].draw.quantile(keyed_uniform(seed, stream, index, name))
            for name in self.names
        }
        return self.context(params)

    def context(self, params: Mapping[str, float]) -> Context:
        """Wrap physical values, given for every name, as a `Context`."""
        vector = [normalize(self.parameters[name].draw, params[name]) for name in self.names]
        return Context({name: params[name] for name in self.names}, np.array(vector, dtype=np.float32))

    def apply(self, context: Context, world: Randomizable) -> dict[str, float]:
        """Write a context into a world, each value from its nominal, and return what was read back.

        Raises `ConfigError` when an entry selects nothing or what another has set, `ValueError` when a value is outside
        physics (nothing has been written then), and `RuntimeError` when the world did not take a value.
        """
        plan = self._plan(context, world)
        return {f"{name}/{target}": _write(row, target, value, world) for (row, target), (name, value) in plan.items()}

    def _plan(self, context: Context, world: Randomizable) -> dict[tuple[Parameter, str], tuple[str, float]]:
        plan: dict[tuple[Parameter, str], tuple[str, float]] = {}
        for name in self.names:
            entry = self.parameters[name]
            row = entry.row
            for target in self._targets(name, world):
                if (row, target) in plan:
                    raise ConfigError(f"{name}: {row.name} of {target} is already set by {plan[row, target][0]}")
                value = combine(entry.op, world.nominal(row.group, target, row.field), context.params[name])
                row.check(value, target)
                plan[row, target] = name, value
        return plan

    def _targets(self, name: str, world: Randomizable) -> list[str]:
        entry = self.parameters[name]
        available = world.names(entry.row.group)
        chosen = [target for target in available if fnmatchcase(target, entry.select)]
        if not chosen:
            raise ConfigError(
                f"{name}: select '{entry.select}' matches no {entry.row.group}; {nearest(entry.select, available)}"
            )
        return chosen


def _write(row: Parameter, target: str, value: float, world: Randomizable) -> float:
    world.write(row.group, target, row.field, value)
    readback = world.read(row.group, target, row.field)
    if not same(readback, value):
        raise RuntimeError(f"{row.name} of {target}: wrote {value!r}, the world holds {readback!r}")
    return readback


def keyed_uniform(seed: int, stream: str, index: int, name: str) -> float:
    """Return a uniform number in [0, 1) that depends on nothing but its key."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}/{name}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def keyed_rng(seed: int, stream: str, index: int, name: str) -> np.random.Generator:
    """Return a generator for bulk noise, keyed like `keyed_uniform`."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}/{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest, "little")))
