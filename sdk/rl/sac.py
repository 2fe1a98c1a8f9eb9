"""Soft actor-critic on steps drawn from everything played: the base learner of what is off-policy and has no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from domain_rand.randomizer import keyed_rng
from sdk.nn.critics import TwinCritic
from sdk.nn.squashed import SquashedPolicy
from sdk.rl.rollout import Rollout
from sdk.rl.soft import SoftConfig, SoftCritics, critic_loss, mean_of
from sdk.rl.task_replay import Steps, TaskReplay

if TYPE_CHECKING:
    from sdk.config import TrainConfig


class Lesson(NamedTuple):
    """What a descent learns from: steps, and how much each of them counts for the critics `[M]`; none: the same."""

    steps: Steps
    weight: Tensor | None = None


class Sac:
    """Actor, critics and the experience they learn from.

    `lesson` makes of every batch anew what is learned from it: a correction that is learned itself changes with time.
    """

    def __init__(self, policy: SquashedPolicy, config: TrainConfig) -> None:
        settings = SoftConfig.parse(config.method, "method")
        self.policy, self.config, self.seed = policy, settings, config.seed
        self.informed = config.policy.informed_critic
        sizes, hidden = policy.sizes, config.policy.hidden
        critic = TwinCritic(sizes.obs + sizes.context * self.informed + sizes.action, hidden)
        self.soft = SoftCritics(critic, policy.head.parameters(), sizes.action, settings)
        self.replay = TaskReplay(settings.replay)
        self.lesson: Callable[[Steps, np.random.Generator], Lesson] = lambda steps, rng: Lesson(steps)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Keep the rollout, and improve the policy on what is kept, once that is enough."""
        self.policy.normalizer.update(rollout.obs)
        self.remember(rollout)
        if len(self.replay) < min(self.config.warm_up, self.config.replay):
            return {}
        self.soft.pace(progress)
        rng = keyed_rng(self.seed, "sac", iteration, "batches")
        count = max(1, round(self.config.updates_per_step * rollout.reward.numel()))
        return mean_of([self.descend(self.replay.draw(self.config.batch, rng), rng) for _ in range(count)])

    def descend(self, steps: Steps, rng: np.random.Generator) -> dict[str, float]:
        """Take one step of critics, actor and temperature, and return what was lost."""
        steps, weight = self.lesson(steps, rng)
        noise = torch.from_numpy(rng.standard_normal((2, *steps.action.shape), dtype=np.float32))
        with torch.no_grad():
            action, log_prob = self.policy.actions(steps.next_obs).sample(noise[0])
            following = self.soft.slow(self.judged(steps.next_obs, steps.context, action))
            target = self.soft.target(steps.reward, steps.terminated, following, log_prob)
        value = self.soft.critic(self.judged(steps.obs, steps.context, steps.action))
        loss = critic_loss(value, target, weight)
        self.soft.descend_critics(loss)
        action, log_prob = self.policy.actions(steps.obs).sample(noise[1])
        self.soft.descend_actor(self.soft.critic(self.judged(steps.obs, steps.context, action)), log_prob, action)
        return self.soft.statistics(loss, value, log_prob)

    def judged(self, obs: Tensor, context: Tensor, action: Tensor) -> Tensor:
        """Return what the critics read."""
        known = [context] if self.informed else []
        return torch.cat([self.policy.normalizer(obs), *known, action], -1)

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that is kept."""
        return self.replay.remembers

    def remember(self, rollout: Rollout) -> None:
        """Take in what was played, and learn nothing."""
        self.replay.add(rollout)

    def state_dict(self) -> dict[str, Any]:
        """Return critics and optimisers."""
        return {"soft": self.soft.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.soft.load_state_dict(state["soft"])
