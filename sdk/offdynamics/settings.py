"""The keys under `reward_correction` in a training configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from domain_rand.schema import Schema


class TargetSettings(Schema):
    """Where rows of the target come from: recordings, or worlds that differ from the source in one way.

    `params` holds randomised parameters of the robot at fixed physical values, `toy` settings of the toy.
    """

    recordings: tuple[str, ...] = Field(default=(), description="files or folders: .npz, .mcap, .csv")
    effect: str | None = Field(default=None, description="unmodelled effect that the target has")
    params: dict[str, float] = Field(default={}, description="randomised parameters and their values in the target")
    toy: dict[str, int | float | bool | str | None] | None = None
    share: float = Field(default=0.1, gt=0, le=1, description="trials played in target worlds, per trial of the source")

    @model_validator(mode="after")
    def _one_target(self) -> TargetSettings:
        worlds = self.effect is not None or bool(self.params) or self.toy is not None
        if worlds == bool(self.recordings):
            raise ValueError("a target is either recordings, or worlds with an effect, params or toy settings")
        if self.toy is not None and (self.effect is not None or self.params):
            raise ValueError("toy settings go with neither effect nor params, which robots have")
        return self


class RewardCorrection(Schema):
    """How the source's reward is corrected: r + weight · clip(Δr), from the first update after the warm-up.

    `weight` is reward per nat. `clip` [nats] bounds Δr on both sides, so that weight · clip is the most that one
    impossible transition costs: below what the detour around it costs, the correction changes nothing.
    """

    method: Literal["darc"] = "darc"
    target: TargetSettings
    weight: float = Field(default=1.0, ge=0, description="reward per nat of log-ratio")
    clip: float = Field(default=5.0, gt=0, description="largest |Δr| in nats")
    warm_up: int = Field(default=5, ge=0, description="iterations that train the classifiers and leave rewards alone")
    hidden: tuple[int, ...] = Field(default=(64, 64), min_length=1)
    lr: float = Field(default=1e-3, gt=0)
    updates: int = Field(default=50, ge=1, description="descents of the classifiers per iteration")
    batch: int = Field(default=256, ge=2, multiple_of=2, description="rows of each, half of them from the target")
    noise: float = Field(default=0.05, ge=0, description="input noise in training, in standard deviations")
    source_rows: int = Field(default=20_000, ge=1, description="rows of the source to draw from: the last ones")
    target_rows: int = Field(default=20_000, ge=1, description="rows of the target likewise")
    held_out: float = Field(default=0.1, gt=0, lt=1, description="share of all rows kept for the alarms")
