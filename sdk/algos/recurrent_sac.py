"""Recurrent soft actor-critic: memory over a trial, learned from everything played (Ni et al. 2022).

    for each iteration: play whole trials, memory blank at their beginning;  keep them
        for each descent: a batch of whole trials
            actor's memory and critics' memory ← a GRU each, from the trial's beginning
            y ← r + γ (min Q̄(memory′, a′) − α log π(a′ | memory′));  descend (Q − y)², through the critics' GRU
            descend α log π(a | memory) − Q(memory, a), through the actor's GRU

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| separate encoders of actor and critics (4.1)    | `RecurrentPolicy.memory`, `RecurrentCritic.memory`   |
| losses over whole sequences (section 4)         | `RecurrentSac.descend`, `sdk.rl.soft`                |

Rewards of later episodes of a trial count as those of the same do: this is what makes trying things out worth it.

Deviations: inputs are not embedded before the GRU. Actor and critics read the observation beside their memory.
The critics also see the true context where `policy.informed_critic`.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from sdk.algos.base import Algorithm, Sizes
from sdk.config import PolicyConfig, TrainConfig
from sdk.nn.critics import TwinCritic
from sdk.nn.normalizer import Normalizer
from sdk.nn.recurrent import Gru
from sdk.nn.squashed import SquashedActing, SquashedActor
from sdk.offdynamics.transitions import sent_actions
from sdk.rl.distributions import SquashedGaussian
from sdk.rl.rollout import Carry, Rollout
from sdk.rl.soft import SoftConfig, SoftCritics, critic_loss, mean_of
from sdk.rl.trial_buffer import TrialBuffer


class RecurrentSacConfig(SoftConfig):
    """The keys under `method`."""

    batch: int = Field(default=32, ge=1, description="trials of a descent")
    updates_per_step: float = Field(default=0.02, gt=0, description="descents for each control step that was collected")
    trial_end: Literal["bootstrap", "terminal"] = Field(
        default="bootstrap", description="what follows a trial: more of the same, or nothing"
    )


class RecurrentPolicy(SquashedActing):
    """A squashed Gaussian of the observation and of a GRU that reads everything."""

    def __init__(self, sizes: Sizes, config: PolicyConfig) -> None:
        super().__init__()
        self.sizes = sizes
        self.inputs = ("obs", "last_action", *(["last_reward"] if sizes.reads_reward else []), "episode_start")
        self.normalizer = Normalizer(sizes.obs)
        self.memory = Gru(sizes.step_inputs, config.memory)
        self.carry_spec = self.memory.carry_spec
        self.head = SquashedActor(config.memory + sizes.obs, sizes, config)

    def initial_carry(self, size: int) -> Carry:
        """Return the blank memory of `size` trials."""
        return self.memory.initial_carry(size)

    def read(self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor) -> Tensor:
        """Return what memories read of steps `[…]`: the standardised observation first."""
        reward = [last_reward] if self.sizes.reads_reward else []
        return torch.cat([self.normalizer(obs), last_action, *reward, episode_start], -1)

    def actions(self, x: Tensor) -> SquashedGaussian:
        """Return the distributions over actions `[T, N, A]` along trials of which `x` `[T, N, …]` is read."""
        given, _ = self.memory.unroll(x, self.initial_carry(x.shape[1]))
        return self.head(torch.cat([given, x[..., : self.sizes.obs]], -1))  # type: ignore[no-any-return]

    def act(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[SquashedGaussian, Carry]:
        """Return the distribution over actions, and the memory after reading one observation."""
        x = self.read(obs, last_action, last_reward, episode_start)
        given, carry = self.memory.step(x, carry)
        return self.head(torch.cat([given, x[:, : self.sizes.obs]], -1)), carry


class RecurrentCritic(nn.Module):
    """A pair of critics on a memory of their own; `context` numbers of the true context are read beside it."""

    def __init__(self, sizes: Sizes, config: PolicyConfig, context: int) -> None:
        super().__init__()
        self.obs = sizes.obs
        self.memory = Gru(sizes.step_inputs, config.memory)
        self.twin = TwinCritic(config.memory + sizes.obs + context + sizes.action, config.hidden)

    def known(self, x: Tensor, context: Tensor) -> Tensor:
        """Return what is known along trials of which `x` `[T, N, …]` is read, with contexts `[T, N, …]`."""
        given, _ = self.memory.unroll(x, self.memory.initial_carry(x.shape[1]))
        return torch.cat([given, x[..., : self.obs], context], -1)

    def forward(self, known: Tensor, action: Tensor) -> Tensor:
        """Return both values `[2, T, N]` of actions `[T, N, A]`."""
        values: Tensor = self.twin(torch.cat([known, action], -1))
        return values


class RecurrentSac:
    """Actor, critics and the trials they learn from."""

    def __init__(self, policy: RecurrentPolicy, config: TrainConfig) -> None:
        settings = RecurrentSacConfig.parse(config.method, "method")
        self.policy, self.config, self.seed = policy, settings, config.seed
        self.context = policy.sizes.context * config.policy.informed_critic
        critic = RecurrentCritic(policy.sizes, config.policy, self.context)
        actor = [*policy.memory.parameters(), *policy.head.parameters()]
        self.soft = SoftCritics(critic, actor, policy.sizes.action, settings)
        self.buffer: TrialBuffer | None = None

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Keep the trials, and improve the policy on those that are kept, once they are enough."""
        self.policy.normalizer.update(rollout.obs)
        buffer, steps = self.remember(rollout), len(rollout.reward)
        if len(buffer) * steps < min(self.config.warm_up, self.config.replay):
            return {}
        self.soft.pace(progress)
        rng = keyed_rng(self.seed, "recurrent_sac", iteration, "batches")
        count = max(1, round(self.config.updates_per_step * rollout.reward.numel()))
        return mean_of([self.descend(buffer.trials(self._some(len(buffer), rng)), rng) for _ in range(count)])

    def descend(self, trials: Rollout, rng: np.random.Generator) -> dict[str, float]:
        """Take one step of critics, actor and temperature on whole trials, and return what was lost."""
        x = self.policy.read(*readings(trials))
        context = torch.cat([trials.context, trials.context[-1:]])[..., : self.context]
        noise = torch.from_numpy(rng.standard_normal((2, *trials.action.shape), dtype=np.float32))
        actions, known = self.policy.actions(x), self.soft.critic.known(x, context)
        with torch.no_grad():
            action, log_prob = SquashedGaussian(actions.mean[1:], actions.log_std[1:]).sample(noise[0])
            following = self.soft.slow(self.soft.slow.known(x, context)[1:], action)
            target = self.soft.target(trials.reward, self.nothing_follows(trials), following, log_prob)
        value = self.soft.critic(known[:-1], trials.action)
        loss = critic_loss(value, target)
        self.soft.descend_critics(loss)
        action, log_prob = SquashedGaussian(actions.mean[:-1], actions.log_std[:-1]).sample(noise[1])
        self.soft.descend_actor(self.soft.critic(known[:-1].detach(), action), log_prob, action)
        return self.soft.statistics(loss, value, log_prob)

    def nothing_follows(self, trials: Rollout) -> Tensor:
        """Return 1 `[T, N]` where a trial ends for good; inside it another step follows, if of the next episode."""
        ends = torch.zeros_like(trials.terminated)
        ends[-1] = 1.0 if self.config.trial_end == "terminal" else trials.terminated[-1]
        return ends

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that is kept."""
        return self.buffer.remembers if self.buffer else 0

    def remember(self, rollout: Rollout) -> TrialBuffer:
        """Take in what was played, learn nothing, and return all that is kept."""
        self.buffer = self.buffer or TrialBuffer(max(1, self.config.replay // len(rollout.reward)))
        self.buffer.add(rollout)
        return self.buffer

    def state_dict(self) -> dict[str, Any]:
        """Return critics and optimisers."""
        return {"soft": self.soft.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.soft.load_state_dict(state["soft"])

    def _some(self, count: int, rng: np.random.Generator) -> Tensor:
        return torch.from_numpy(rng.integers(0, count, self.config.batch))


def readings(trials: Rollout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what a policy reads at each step `[T + 1, N, …]`, the last being what it would have read next."""
    last = (trials.final_obs, sent_actions(trials), trials.told[..., None], torch.zeros_like(trials.episode_start))
    read = (trials.obs, trials.last_action, trials.last_reward, trials.episode_start)
    obs, action, reward, start = (torch.cat([r, after[-1:]]) for r, after in zip(read, last, strict=True))
    return obs, action, reward, start


def build(sizes: Sizes, config: TrainConfig) -> RecurrentPolicy:
    """Build π(a | s, memory)."""
    return RecurrentPolicy(sizes, config.policy)


def learner(policy: nn.Module, config: TrainConfig) -> RecurrentSac:
    """Return what improves it."""
    assert isinstance(policy, RecurrentPolicy)
    return RecurrentSac(policy, config)


ALGORITHM = Algorithm(
    "recurrent_sac",
    "Ni et al. 2022",
    "memory over a trial, learned from everything played",
    True,
    build,
    learner,
    RecurrentSacConfig,
)
