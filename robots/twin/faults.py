"""What may go wrong with a twin, as written in a YAML file: the line, the sensors, the machine in mid-run."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from domain_rand.schema import Schema


class LineFaults(Schema):
    """What one direction of the line does to packets: probabilities for each packet, times in s.

    A packet arrives `latency` plus up to `jitter` late; `reorder` is the share held back by another `hold`, so that
    later ones overtake it.
    """

    loss: float = Field(default=0.0, ge=0, le=1)
    duplicate: float = Field(default=0.0, ge=0, le=1)
    latency: float = Field(default=0.0, ge=0, le=10)
    jitter: float = Field(default=0.0, ge=0, le=10)
    reorder: float = Field(default=0.0, ge=0, le=1)
    hold: float = Field(default=0.03, ge=0, le=10)


class Freeze(Schema):
    """One signal stands still from `start` to `stop`, in seconds of the trial; no `stop`: to its end."""

    signal: str
    start: float = Field(ge=0)
    stop: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Freeze:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"freeze of {self.signal}: stop {self.stop} s is not after start {self.start} s")
        return self


class Change(Schema):
    """Hidden parameters get other values: `params` in their physical units, `scale` times what they are."""

    params: dict[str, float] = {}
    scale: dict[str, float] = {}

    @model_validator(mode="after")
    def _one_value_each(self) -> Change:
        if not self.params and not self.scale:
            raise ValueError("a change names at least one parameter, under params or scale")
        if both := self.params.keys() & self.scale.keys():
            raise ValueError(f"'{min(both)}' is under both params and scale")
        return self

    def values(self, now: Mapping[str, float]) -> dict[str, float]:
        """Return the new values of those that change, where all have the values `now`."""
        return {**self.params, **{name: factor * now[name] for name, factor in self.scale.items()}}


class Switch(Change):
    """A change that happens at a time of the trial [s], and lasts to its end."""

    at: float = Field(ge=0)


class Faults(Schema):
    """All faults of a twin, in each of its trials anew; none unless written. Equal seeds treat packets equally."""

    seed: int = 0
    to_policy: LineFaults = LineFaults()
    to_robot: LineFaults = LineFaults()
    freeze: tuple[Freeze, ...] = ()
    switch: tuple[Switch, ...] = ()
