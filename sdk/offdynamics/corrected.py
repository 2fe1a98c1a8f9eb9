"""A learner whose rewards are corrected on their way in; what is reported stays the reward that was paid."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, Protocol

from torch import Tensor, nn

from domain_rand.schema import ConfigError
from robots.trial import WorldShape
from sdk.config import TrainConfig
from sdk.offdynamics.darc import Darc, corrected_reward
from sdk.offdynamics.settings import RewardCorrection
from sdk.offdynamics.target_data import TargetRows, target_of
from sdk.offdynamics.transitions import Transitions, transitions_of
from sdk.rl.learner import Learner
from sdk.rl.ppo import Ppo
from sdk.rl.rollout import Rollout
from sdk.rl.sac import Sac
from sdk.rl.task_replay import Steps


class Target(Protocol):
    """Gives rows of the target; `knows_ends` says whether their terminations are known."""

    knows_ends: bool

    def collect(self, policy: Any, iteration: int) -> TargetRows | None: ...


class Corrected:
    """A learner behind a reward correction, which is trained first in every iteration and worked out anew.

    A learner that keeps its experience keeps the rewards as they were paid, and asks for their correction in every
    batch.
    """

    def __init__(self, learner: Learner, darc: Darc, target: Target, episode_steps: int) -> None:
        self.learner, self.darc, self.target = learner, darc, target
        self.episode_steps = episode_steps
        self.warming_up = True
        if isinstance(learner, Sac):
            learner.paid = self.paid

    @property
    def policy(self) -> nn.Module:
        """The policy that the learner improves."""
        return self.learner.policy

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Train the classifiers, then the policy under the corrected reward; during the warm-up, as it was paid."""
        settings = self.darc.settings
        source = transitions_of(rollout)
        source = source if self.target.knows_ends else source.endless()
        fresh = self.target.collect(self.policy, iteration)
        self.darc.observe(source, fresh.rows if fresh else None)
        self.darc.train(iteration)
        flat = self.darc.delta(source)
        alarms = self.darc.alarms(flat, rollout.reward, self.episode_steps)
        if iteration == settings.warm_up and settings.weight and alarms.penalty_steps < 1:
            warnings.warn(
                f"reward_correction: weight · clip = {settings.weight * settings.clip:g} is {alarms.penalty_steps:.2g} "
                "of the mean reward of a step: even an impossible motion costs less than it may earn",
                stacklevel=2,
            )
        self.warming_up = iteration < settings.warm_up
        if not self.warming_up and not isinstance(self.learner, Sac):
            delta = flat.unflatten(0, rollout.reward.T.shape).T
            reward = corrected_reward(rollout.reward, delta, settings.weight, settings.clip)
            rollout = dataclasses.replace(rollout, reward=reward)
        told = {} if fresh is None or fresh.trial_return is None else {"target_return": fresh.trial_return}
        return {**self.learner.update(rollout, iteration, progress), **alarms.metrics(), **told}

    def paid(self, steps: Steps) -> Tensor:
        """Return the corrected reward of steps `[M]` that were kept, as the classifiers see them now."""
        if self.warming_up:
            return steps.reward
        rows = Transitions(steps.obs, steps.sent, steps.next_obs, steps.terminated)
        delta = self.darc.delta(rows if self.target.knows_ends else rows.endless())
        return corrected_reward(steps.reward, delta, self.darc.settings.weight, self.darc.settings.clip)

    def state_dict(self) -> dict[str, Any]:
        """Return what the learner and the classifiers consist of."""
        return {"learner": self.learner.state_dict(), "darc": self.darc.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.learner.load_state_dict(state["learner"])
        self.darc.load_state_dict(state["darc"])


def corrected(learner: Learner, config: TrainConfig, correction: RewardCorrection, shape: WorldShape) -> Corrected:
    """Put a run's correction before its learner.

    Raises `ConfigError` for a target that does not fit the run, and for an algorithm that does more with rewards than
    maximise them: it would model or adapt on what no robot is ever paid.
    """
    if not isinstance(learner, Ppo | Sac):
        raise ConfigError(
            f"reward_correction: '{config.algo}' models rewards or adapts on them, and those of a robot are not "
            "corrected; valid: algorithms that PPO or SAC alone improves"
        )
    darc = Darc(shape.obs_size, shape.action_size, correction, config.seed)
    return Corrected(learner, darc, target_of(config, correction), shape.episode_steps)
