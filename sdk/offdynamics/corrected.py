"""A learner that is told of the target on its way in; what is reported stays the reward that was paid.

On policy, a rollout's rewards are corrected before each update. What keeps its experience keeps the rewards as they
were paid, and every batch is worked out anew: its source steps corrected or weighted by what is known now, some of them
replaced by steps of the target, as these were paid.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from robots.trial import WorldShape
from sdk.config import TrainConfig
from sdk.offdynamics.alarms import Alarms
from sdk.offdynamics.darc import Darc, corrected_reward
from sdk.offdynamics.importance import importance_weights
from sdk.offdynamics.par import Par
from sdk.offdynamics.settings import RewardCorrection
from sdk.offdynamics.target_data import TargetRows, target_of
from sdk.offdynamics.transitions import Transitions, transitions_of
from sdk.rl.learner import Experienced, Learner
from sdk.rl.ppo import Ppo
from sdk.rl.rollout import Rollout
from sdk.rl.sac import Lesson, Sac
from sdk.rl.task_replay import Steps, TaskReplay


class Target(Protocol):
    """Gives rows of the target; `knows_ends` says whether their terminations are known."""

    knows_ends: bool

    def collect(self, policy: Any, iteration: int) -> TargetRows | None: ...


class Estimator(Protocol):
    """Learns from rows of both domains how little the target resembles the source: Δr, 0 where they are alike."""

    settings: RewardCorrection

    def observe(self, source: Transitions, target: Transitions | None) -> None: ...
    def train(self, iteration: int) -> None: ...
    def delta(self, rows: Transitions) -> Tensor: ...
    def alarms(self, delta: Tensor, reward: Tensor, episode_steps: float) -> Alarms: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


ESTIMATORS: dict[str, type[Darc] | type[Par]] = {"darc": Darc, "importance": Darc, "par": Par}


class Corrected:
    """A learner behind a correction, which is trained first in every iteration."""

    def __init__(self, learner: Learner, estimator: Estimator, target: Target, episode_steps: int) -> None:
        self.learner, self.estimator, self.target = learner, estimator, target
        self.settings = estimator.settings
        self.episode_steps = episode_steps
        self.warming_up = True
        self.there = TaskReplay(self.settings.target_rows)
        if isinstance(learner, Sac):
            learner.lesson = self.lesson

    @property
    def policy(self) -> nn.Module:
        """The policy that the learner improves."""
        return self.learner.policy

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Train the correction, then the policy under it; during the warm-up, under rewards as they were paid."""
        source = self._comparable(transitions_of(rollout))
        fresh = self.target.collect(self.policy, iteration)
        self._take(fresh)
        self.estimator.observe(source, fresh.rows if fresh else None)
        self.estimator.train(iteration)
        flat = self.estimator.delta(source)
        alarms = self.estimator.alarms(flat, rollout.reward, self.episode_steps)
        self._warn(iteration, alarms)
        self.warming_up = iteration < self.settings.warm_up
        if not self.warming_up and not isinstance(self.learner, Sac):
            delta = flat.unflatten(0, rollout.reward.T.shape).T
            rollout = dataclasses.replace(rollout, reward=self._paid(rollout.reward, delta))
        told = {} if fresh is None or fresh.trial_return is None else {"target_return": fresh.trial_return}
        return {**self.learner.update(rollout, iteration, progress), **alarms.metrics(), **told}

    def lesson(self, steps: Steps, rng: np.random.Generator) -> Lesson:
        """Return what is learned from steps `[M]` that were kept, as the estimator sees them now."""
        count = round(self.settings.in_batch * len(steps.reward)) if len(self.there) else 0
        source = self._source_lesson(Steps(*(column[count:] for column in steps)))
        if not count:
            return source
        there = self._aligned(self.there.draw(count, rng), source.steps)
        joined = Steps(*(torch.cat(pair) for pair in zip(source.steps, there, strict=True)))
        if source.weight is None:
            return Lesson(joined)
        return Lesson(joined, torch.cat([source.weight, torch.ones(count)]))

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that the learner keeps."""
        return self.learner.remembers if isinstance(self.learner, Experienced) else 0

    def remember(self, rollout: Rollout) -> None:
        """Let the learner take in what was played."""
        if isinstance(self.learner, Experienced):
            self.learner.remember(rollout)

    def state_dict(self) -> dict[str, Any]:
        """Return what the learner and the correction consist of."""
        return {
            "learner": self.learner.state_dict(),
            "estimator": self.estimator.state_dict(),
            "there": self.there.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.learner.load_state_dict(state["learner"])
        self.estimator.load_state_dict(state["estimator"])
        self.there.load_state_dict(state["there"])

    def _source_lesson(self, steps: Steps) -> Lesson:
        if self.warming_up:
            return Lesson(steps)
        rows = Transitions(steps.obs, steps.sent, steps.next_obs, steps.terminated)
        delta = self.estimator.delta(self._comparable(rows))
        if self.settings.method == "importance":
            return Lesson(steps, importance_weights(delta, self.settings.clip))
        return Lesson(steps._replace(reward=self._paid(steps.reward, delta)))

    def _aligned(self, there: Steps, here: Steps) -> Steps:
        """Give the target's steps a context as wide as the source's, where no critic reads it."""
        width, expected = there.context.shape[-1], here.context.shape[-1]
        if width == expected:
            return there
        if getattr(self.learner, "informed", False):
            raise ConfigError(
                f"reward_correction.in_batch: the target has {width} hidden parameters, the source {expected}, and the "
                "critics read them; set policy.informed_critic to false"
            )
        return there._replace(context=there.context.new_zeros(len(there.reward), expected))

    def _paid(self, reward: Tensor, delta: Tensor) -> Tensor:
        return corrected_reward(reward, delta, self.settings.weight, self.settings.clip)

    def _comparable(self, rows: Transitions) -> Transitions:
        return rows if self.target.knows_ends else rows.endless()

    def _take(self, fresh: TargetRows | None) -> None:
        if self.settings.in_batch and fresh is not None and fresh.rollout is not None:
            self.there.add(fresh.rollout)

    def _warn(self, iteration: int, alarms: Alarms) -> None:
        settings = self.settings
        pays = settings.method != "importance" and settings.weight > 0
        if iteration == settings.warm_up and pays and alarms.penalty_steps < 1:
            warnings.warn(
                f"reward_correction: weight · clip = {settings.weight * settings.clip:g} is {alarms.penalty_steps:.2g} "
                "of the mean reward of a step: even an impossible motion costs less than it may earn",
                stacklevel=3,
            )


def corrected(learner: Learner, config: TrainConfig, correction: RewardCorrection, shape: WorldShape) -> Corrected:
    """Put a run's correction before its learner.

    Raises `ConfigError` for a target that does not fit the run, for an algorithm that does more with rewards than
    maximise them (it would model or adapt on what no robot is ever paid), and for settings that only SAC can follow.
    """
    if not isinstance(learner, Ppo | Sac):
        raise ConfigError(
            f"reward_correction: '{config.algo}' models rewards or adapts on them, and those of a robot are not "
            "corrected; valid: algorithms that PPO or SAC alone improves"
        )
    if isinstance(learner, Ppo):
        _refuse_on_policy(config.algo, correction)
    estimator = ESTIMATORS[correction.method](shape.obs_size, shape.action_size, correction, config.seed)
    return Corrected(learner, estimator, target_of(config, correction), shape.episode_steps)


def _refuse_on_policy(algo: str, correction: RewardCorrection) -> None:
    if correction.method == "importance":
        raise ConfigError(f"reward_correction.method: importance weights batches, '{algo}' draws none; valid: sac")
    if correction.in_batch:
        raise ConfigError(f"reward_correction.in_batch: '{algo}' learns from what it has just played; valid: 0, or sac")
