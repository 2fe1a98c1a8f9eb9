"""The keys under `reward_correction` in a training configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from domain_rand.entries import Entry
from domain_rand.schema import Schema
from robots.model import Engine


class Dynamics(Schema):
    """In which way worlds differ from those that a robot's files describe."""

    nominal: bool = Field(default=False, description="draw nothing but what the task draws, its goals")
    effect: str | None = Field(default=None, description="unmodelled effect, or several joined by +")
    params: dict[str, float] = Field(default={}, description="randomised parameters, and the value they are held at")
    randomization: dict[str, Entry] = Field(default={}, description="entries beside or in place of the robot's own")
    limits: dict[str, tuple[float, float]] = Field(
        default={}, description="joints, and between where [rad or m] end stops leave them"
    )
    engine: Engine | None = Field(default=None, description="what simulates the robot; none: what its model names")


class TargetSettings(Dynamics):
    """Where rows of the target come from: recordings, or worlds that differ from the source in some way.

    For a robot these are what `Dynamics` has, for a toy its settings in `toy`.
    """

    recordings: tuple[str, ...] = Field(default=(), description="files or folders: .npz, .mcap, .csv")
    toy: dict[str, int | float | bool | str | None] | None = None
    share: float = Field(default=0.1, gt=0, le=1, description="trials played in target worlds, per trial of the source")

    @model_validator(mode="after")
    def _one_target(self) -> TargetSettings:
        changed = any(getattr(self, name) not in (None, {}, False) for name in Dynamics.model_fields)
        worlds = changed or self.toy is not None
        if worlds == bool(self.recordings):
            raise ValueError("a target is either recordings, or worlds that differ: by dynamics or toy settings")
        if self.toy is not None and changed:
            raise ValueError("toy settings go with no other dynamics, which robots have")
        return self


class RewardCorrection(Schema):
    """What is done about the target, from the first update after the warm-up.

    `darc` and `par` pay r + weight · clip(Δr); `importance` weights steps by exp(clip(Δr)) and pays what was paid.

    `weight` is reward per nat. `clip` [nats] bounds Δr on both sides, so that weight · clip is the most that one
    impossible transition costs: below what the detour around it costs, the correction changes nothing.
    """

    method: Literal["darc", "importance", "par"] = "darc"
    target: TargetSettings
    weight: float = Field(default=1.0, ge=0, description="reward per nat of log-ratio")
    clip: float = Field(default=5.0, gt=0, description="largest |Δr| in nats")
    warm_up: int = Field(default=5, ge=0, description="iterations that train the classifiers and leave rewards alone")
    in_batch: float = Field(
        default=0.0, ge=0, lt=1, description="share of SAC's batches that is steps of the target, as they were paid"
    )
    hidden: tuple[int, ...] = Field(default=(64, 64), min_length=1)
    lr: float = Field(default=1e-3, gt=0)
    updates: int = Field(default=50, ge=1, description="descents of the classifiers per iteration")
    batch: int = Field(default=256, ge=2, multiple_of=2, description="rows of each, half of them from the target")
    noise: float = Field(default=0.05, ge=0, description="input noise in training, in standard deviations")
    source_rows: int = Field(default=20_000, ge=1, description="rows of the source to draw from: the last ones")
    target_rows: int = Field(default=20_000, ge=1, description="rows of the target likewise")
    held_out: float = Field(default=0.1, gt=0, lt=1, description="share of all rows kept for the alarms")
