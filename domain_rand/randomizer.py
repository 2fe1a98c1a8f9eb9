"""Draw a world by key, apply it from nominal, read it back.

The key is (seed, stream, index, parameter name), joined by the episode and the count of changes where a value lives
no longer. Equal keys give equal values in every process and in any order; held-out worlds are another stream, not
another seed that might collide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import Field, model_validator

from domain_rand.application import apply_values
from domain_rand.copula import CorrelatedGroup, Matrix, check_group, correlate
from domain_rand.distributions import Scale, scale_of
from domain_rand.entries import Entry, When
from domain_rand.keys import keyed_rng, keyed_uniform, uniform_of
from domain_rand.parameters import Randomizable
from domain_rand.schema import ConfigError, Schema, nearest
from domain_rand.timeline import Change, timeline

__all__ = ["Change", "Context", "CorrelatedGroup", "Entry", "Randomization", "keyed_rng", "keyed_uniform"]


@dataclass(frozen=True)
class Context:
    """The hidden physical parameters as they are now: by name in physical units, and as a vector around [−1, 1]."""

    params: dict[str, float]
    normalized: np.ndarray


class Randomization(Schema):
    """A distribution over worlds, as written in a robot's `randomization.yaml`."""

    version: int = Field(default=1, ge=1, le=1)
    parameters: dict[str, Entry]
    groups: dict[str, CorrelatedGroup] = {}

    @model_validator(mode="after")
    def _grouped(self) -> Randomization:
        owner: dict[str, str] = {}
        for label, group in self.groups.items():
            check_group(label, group, self.parameters)
            for member in group.members:
                if owner.setdefault(member, label) != label:
                    raise ValueError(f"'{member}' is in two groups, {owner[member]} and {label}")
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.parameters))

    @cached_property
    def episodic(self) -> tuple[str, ...]:
        """Names whose value may differ between two episodes of one world."""
        return tuple(name for name in self.names if self.parameters[name].when in ("episode", "interval"))

    def bind(self, world: Randomizable) -> Randomization:
        """Return the randomization with every `each` entry replaced by one entry for each name it selects."""
        if not any(entry.each for entry in self.parameters.values()):
            return self
        expanded = {name: entry.expanded(name, world.names(entry.row.group)) for name, entry in self.parameters.items()}
        members = {name: tuple(entries) for name, entries in expanded.items()}
        entries = {name: entry for each in expanded.values() for name, entry in each.items()}
        if len(entries) < sum(map(len, expanded.values())):
            raise ConfigError("an entry has the name that 'each' gives to another")
        groups = {label: group.expanded(members) for label, group in self.groups.items()}
        return Randomization.parse({"version": self.version, "parameters": entries, "groups": groups}, "bind")

    def draw(
        self,
        seed: int,
        index: int,
        stream: str = "train",
        fixed: Mapping[str, float] | None = None,
        uniforms: Mapping[str, float] | None = None,
    ) -> Context:
        """Draw world `index` of a stream as it is at the start of its episode 0; see `draw_episode`."""
        return self.draw_episode(seed, index, 0, stream, fixed, uniforms)

    def draw_episode(
        self,
        seed: int,
        index: int,
        episode: int,
        stream: str = "train",
        fixed: Mapping[str, float] | None = None,
        uniforms: Mapping[str, float] | None = None,
    ) -> Context:
        """Draw world `index` as it is at the start of an episode: only `episodic` values depend on the latter.

        `fixed` overrides single parameters in physical units, `uniforms` (a sampler's) where in its distribution a
        parameter is drawn. Raises `ConfigError` for a fixed name that is not randomised here; `apply` checks fixed
        values against physics.
        """
        places = self.uniforms(seed, index, stream, episode) | dict(uniforms or {})
        params = {name: self._initial(name, places[name]) for name in self.names}
        return self.context(params | self._checked(fixed))

    def uniforms(self, seed: int, index: int, stream: str = "train", episode: int = 0) -> dict[str, float]:
        """Return where in its distribution each parameter is drawn, in [0, 1), correlated within groups."""
        return self.correlated(self.raw_uniforms(seed, index, stream, episode))

    def raw_uniforms(self, seed: int, index: int, stream: str = "train", episode: int = 0) -> dict[str, float]:
        """Return independent uniforms, one for each name, by key."""
        world = f"{seed}/{stream}/{index}"
        start = f"{world}@{episode}"
        prefix = {
            "once": f"{seed}/{stream}/once/",
            "task": f"{world}/",
            "episode": f"{start}/",
            "interval": f"{start}/",
        }
        return {name: uniform_of(prefix[when] + name) for name, when in self._whens}

    def correlated(self, raw: Mapping[str, float]) -> dict[str, float]:
        """Return the uniforms with the correlations of `groups`."""
        result = dict(raw)
        for members, factor in self._factors:
            result.update(zip(members, correlate([raw[name] for name in members], factor), strict=True))
        return result

    def changes(
        self,
        seed: int,
        index: int,
        episode: int,
        horizon_s: float,
        stream: str = "train",
        fixed: Mapping[str, float] | None = None,
    ) -> list[Change]:
        """Return what `interval` entries become after the start of an episode, in order of time below `horizon_s`."""
        held = self._checked(fixed)
        moving = {name: self.parameters[name] for name in self._intervals if name not in held}
        return timeline(moving, f"{seed}/{stream}/{index}@{episode}", horizon_s)

    def context(self, params: Mapping[str, float]) -> Context:
        """Wrap physical values, given for every name, as a `Context`."""
        values = [params[name] for name in self.names]
        vector = [scale(value) for scale, value in zip(self._scales, values, strict=True)]
        return Context(dict(zip(self.names, values, strict=True)), np.array(vector, dtype=np.float32))

    def changed(self, context: Context, values: Mapping[str, float]) -> Context:
        """Return the context after a change of some values."""
        return self.context(context.params | self._checked(values))

    def apply(self, context: Context, world: Randomizable, only: Collection[str] | None = None) -> dict[str, float]:
        """Write a context, or its names in `only`, into a world; returns what was read back. See `apply_values`."""
        names = self.names if only is None else sorted(only)
        return apply_values(self.parameters, names, context.params, world)

    def _initial(self, name: str, uniform: float) -> float:
        entry = self.parameters[name]
        if entry.each:
            raise ConfigError(f"{name}: 'each' needs the robot's names; call bind(world) first")
        return entry.draw.quantile(uniform) if entry.start is None else entry.start

    def _checked(self, values: Mapping[str, float] | None) -> dict[str, float]:
        for name in values or {}:
            if name not in self.parameters:
                raise ConfigError(f"params: unknown parameter '{name}'; {nearest(name, self.names)}")
        return {name: float(value) for name, value in (values or {}).items()}

    @cached_property
    def _whens(self) -> tuple[tuple[str, When], ...]:
        return tuple((name, self.parameters[name].when) for name in self.names)

    @cached_property
    def _intervals(self) -> tuple[str, ...]:
        return tuple(name for name, when in self._whens if when == "interval")

    @cached_property
    def _factors(self) -> tuple[tuple[tuple[str, ...], Matrix], ...]:
        return tuple(group.factor() for group in self.groups.values())

    @cached_property
    def _scales(self) -> tuple[Scale, ...]:
        return tuple(scale_of(self.parameters[name].draw) for name in self.names)
