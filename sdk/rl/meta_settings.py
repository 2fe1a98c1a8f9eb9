"""Settings of methods that adapt by gradient, and how much of a trial they train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from domain_rand.schema import ConfigError, Schema
from sdk.nn.adapting import AdaptationRule

if TYPE_CHECKING:
    from robots.trial import WorldShape
    from sdk.config import TrainConfig


class InnerConfig(Schema):
    """Settings of adaptation."""

    rollouts: int = Field(default=20, ge=1, description="episodes that the policy adapts on at a time")
    inner_steps: int = Field(default=1, ge=1, description="times it adapts in a trial while training")
    adaptations: int | None = Field(
        default=None, ge=1, description="times it adapts in a trial once trained; none: as in training"
    )
    inner_lr: float = Field(default=0.1, gt=0, description="length of an inner step for a gradient of norm 1")
    later_share: float = Field(
        default=1.0, gt=0, le=1, description="share of an inner step that is taken once something has been adapted"
    )
    inner_max_norm: float = Field(default=10.0, gt=0, description="longer inner gradients are shortened to this")
    reward_level: float | None = Field(
        default=None,
        description="adapt by discounted sums of rewards above this, as they are; none: against a linear baseline",
    )
    gamma: float = Field(default=0.99, gt=0, le=1)
    gae_lambda: float = Field(default=1.0, ge=0, le=1)

    @property
    def episodes(self) -> int:
        """Episodes of a trial that training plays: the batches to adapt on, and one to answer for."""
        return (self.inner_steps + 1) * self.rollouts

    def rule(self) -> AdaptationRule:
        """Return when and how a policy adapts once it is trained."""
        return AdaptationRule(
            every=self.rollouts,
            rounds=self.adaptations or self.inner_steps,
            lr=self.inner_lr,
            later_share=self.later_share,
            max_norm=self.inner_max_norm,
            reward_level=self.reward_level,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
        )


class MetaConfig(InnerConfig):
    """Settings of every method that differentiates through adaptation."""

    early_weight: float = Field(default=0.0, ge=0, description="weight of what is earned before the last adaptation")
    first_order: bool = Field(default=False, description="treat inner gradients as constants")
    outer: Literal["trpo", "adam"] = "trpo"
    lr: float = Field(default=1e-3, gt=0, description="step size of Adam")
    outer_steps: int = Field(default=5, ge=1, description="Adam's steps on the trials of an iteration")
    clip: float | None = Field(
        default=None, gt=0, description="how far from 1 a ratio of probabilities may pay to move; none: any way"
    )
    max_kl: float = Field(default=0.01, gt=0, description="mean divergence of a TRPO step")
    cg_iterations: int = Field(default=10, ge=1)
    cg_damping: float = Field(default=1e-5, ge=0)
    backtracks: int = Field(default=15, ge=1)
    backtrack_ratio: float = Field(default=0.8, gt=0, lt=1)
    curvature_episodes: int = Field(
        default=5, ge=1, description="episodes of each batch that TRPO's curvature looks at"
    )


def inner_settings(config: TrainConfig) -> InnerConfig:
    """Return the settings of a run's algorithm, which adapts by gradient."""
    from sdk.algos.base import find_algorithm

    settings = find_algorithm(config.algo).settings.parse(config.method, "method")
    assert isinstance(settings, InnerConfig)
    return settings


def played(config: TrainConfig, shape: WorldShape) -> int:
    """Return the control steps of a trial that training plays; raises `ConfigError` where a trial is too short."""
    settings = inner_settings(config)
    needed = settings.episodes
    there = shape.trial_steps // shape.episode_steps
    if needed > there:
        raise ConfigError(
            f"method.inner_steps = {settings.inner_steps} and rollouts = {settings.rollouts} take {needed} episodes, "
            f"and a trial has {there}"
        )
    return needed * shape.episode_steps
