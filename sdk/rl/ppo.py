"""Proximal policy optimisation on whole trials (Schulman et al. 2017): the base learner of every on-policy method.

    for each iteration:
        collect N trials with the current policy
        value, next_value ← critic;  advantage ← GAE, cut where the method's horizon ends
        for each epoch, for each minibatch of trials (or of their segments):
            re-run the policy over them;  descend  clip loss + value loss − entropy

With `worst` below 1 only the trials of least return count (EPOpt, `domain_rand/epopt.py`), after a share of the run.
Deviations: minibatches are whole trials, re-run from blank memory (full back-propagation through time), or with `bptt`
segments of them, re-run from the memory that the current policy had there. Rewards are scaled by 1 − γ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.epopt import worst
from domain_rand.randomizer import keyed_rng
from domain_rand.schema import ConfigError, Schema
from sdk.rl.annealing import anneal
from sdk.rl.distributions import distribution
from sdk.rl.objectives import clipped_value_loss, ppo_clip_loss, standardize
from sdk.rl.returns import gae
from sdk.rl.rollout import Carry, Rollout, side_by_side

if TYPE_CHECKING:
    from sdk.config import TrainConfig

Horizon = Literal["episode", "trial"]


class PpoConfig(Schema):
    """Settings of the base learner."""

    lr: float = Field(default=2e-3, gt=0, description="Adam step size at the start; falls linearly to a twentieth")
    epochs: int = Field(default=4, ge=1)
    minibatches: int = Field(default=12, ge=1)
    clip: float = Field(default=0.2, gt=0)
    gamma: float = Field(default=0.98, gt=0, lt=1)
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    entropy_weight: float = Field(default=0.0, ge=0)
    anneal_entropy: bool = Field(default=False, description="whether that weight falls linearly to 0")
    value_weight: float = Field(default=0.5, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    trial_end: Literal["bootstrap", "terminal"] = Field(
        default="bootstrap", description="what follows a trial: more of the same, or nothing"
    )
    worst: float = Field(default=1.0, gt=0, le=1, description="EPOpt's ε: share of the trials learnt from, the worst")
    worst_from: float = Field(
        default=0.0, ge=0, le=1, description="share of the run before that, which learns from all"
    )
    bptt: int | None = Field(
        default=None, ge=1, description="most steps of back-propagation through time; none: the trial"
    )


class ActorCritic(Protocol):
    """What PPO needs of a policy besides being an `nn.Module`."""

    log_std: nn.Parameter | None

    def initial_carry(self, size: int) -> Carry: ...
    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]: ...


class EpisodeCritic(ActorCritic, Protocol):
    """What horizon "episode" needs beside: the value of what truly followed each step, `[T, N]`."""

    def final_values(self, rollout: Rollout) -> Tensor: ...


def advantages(
    policy: ActorCritic, rollout: Rollout, value: Tensor, horizon: Horizon, config: PpoConfig
) -> tuple[Tensor, Tensor]:
    """Return (advantage, value target), each `[T, N]`, for values `[T, N]` of the same policy.

    With horizon "episode", sums stop at every episode end and bootstrap from the true final observation unless it
    terminated. With "trial" they run on over inner ends, since the next episode follows, and stop at the trial's end:
    there nothing is left to read, and the last value stands in for the one that followed. Where `trial_end` is
    "terminal", nothing follows a trial, with either.
    """
    if horizon == "episode":
        next_value = policy.final_values(rollout)  # type: ignore[attr-defined]
        terminated, ended = rollout.terminated.clone(), torch.maximum(rollout.terminated, rollout.truncated)
    else:
        next_value = torch.cat([value[1:], value[-1:]])
        terminated = ended = torch.zeros_like(rollout.reward)
    if config.trial_end == "terminal":
        terminated[-1] = 1.0
    reward = (1 - config.gamma) * rollout.reward  # values then live on the scale of one reward, whatever the horizon
    return gae(reward, value, next_value, terminated, ended, config.gamma, config.gae_lambda)


def hardest(rollout: Rollout, share: float) -> Rollout:
    """Return the trials whose return is among this share of the lowest, all that tie with its edge included."""
    return rollout if share >= 1 else rollout.trials(torch.from_numpy(worst(rollout.reward.sum(0).numpy(), share)))


@dataclass(frozen=True)
class Batch:
    """Experience ready to learn from: segments `[steps, M]` and the memory each began with."""

    rollout: Rollout
    carry: Carry
    advantage: Tensor
    target: Tensor
    value: Tensor

    def pick(self, index: Tensor) -> Batch:
        """Return the segments (columns) at `index`."""
        carry = tuple(state[index] for state in self.carry)
        parts = (x[:, index] for x in (self.advantage, self.target, self.value))
        return Batch(self.rollout.trials(index), carry, *parts)


@torch.no_grad()
def prepare(policy: ActorCritic, rollout: Rollout, horizon: Horizon, config: PpoConfig) -> Batch:
    """Run the policy once over whole trials, work out advantages, and cut everything into segments.

    Raises `ConfigError` as `segment_steps` does.
    """
    steps, trials = rollout.reward.shape
    length = segment_steps(steps, config.bptt)
    blank = policy.initial_carry(trials)
    _, value, memory = policy.unroll(rollout, blank)
    advantage, target = advantages(policy, rollout, value, horizon, config)
    cut = [side_by_side(x, length) for x in (standardize(advantage), target, value)]
    return Batch(rollout.segments(length), blank if length == steps else _starts(blank, memory, length), *cut)


def segment_steps(trial: int, at_most: int | None) -> int:
    """Return the longest equal segments that a trial of so many steps can be cut into; none: the trial.

    Raises `ConfigError` where they would be shorter than half of `at_most`.
    """
    if at_most is None or at_most >= trial:
        return trial
    length = next(steps for steps in range(at_most, 0, -1) if trial % steps == 0)
    if 2 * length < at_most:
        raise ConfigError(
            f"ppo.bptt = {at_most}: a trial of {trial} steps cannot be cut into equal segments of {-(-at_most // 2)} "
            f"to {at_most} steps, the longest are of {length}; change episode_time, or set ppo.bptt to {length} or null"
        )
    return length


def _starts(blank: Carry, memory: Carry, length: int) -> Carry:
    pairs = zip(blank, memory, strict=True)
    return tuple(torch.cat([first[None], m[length - 1 : -1 : length]]).flatten(0, 1) for first, m in pairs)


class Ppo:
    """The optimiser and its update; everything random is keyed by (seed, iteration)."""

    def __init__(self, policy: nn.Module, config: PpoConfig, horizon: Horizon, seed: int) -> None:
        self.policy, self.config, self.horizon, self.seed = policy, config, horizon, seed
        self.optimizer = torch.optim.Adam(policy.parameters(), lr=config.lr, eps=1e-5)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the policy on one rollout; `progress` in [0, 1] sets what falls with time. Returns means."""
        anneal(self.optimizer, self.config.lr, progress)
        entropy_weight = self.config.entropy_weight * (1 - progress * self.config.anneal_entropy)
        learnt = hardest(rollout, self.config.worst) if progress >= self.config.worst_from else rollout
        batch = prepare(self.policy, learnt, self.horizon, self.config)  # type: ignore[arg-type]
        rng = keyed_rng(self.seed, "ppo", iteration, "minibatches")
        rows = []
        for _ in range(self.config.epochs):
            order = rng.permutation(batch.value.shape[1])
            for part in np.array_split(order, min(self.config.minibatches, len(order))):
                rows.append(self._descend(batch.pick(torch.from_numpy(part)), entropy_weight))
        self.policy.normalizer.update(rollout.obs)  # type: ignore[union-attr, operator]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def beside(self, batch: Batch) -> Tensor | float:
        """Return what is descended beside PPO's own loss: nothing."""
        return 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over an optimiser's state."""
        self.optimizer.load_state_dict(state["optimizer"])

    def _descend(self, batch: Batch, entropy_weight: float) -> dict[str, float]:
        config, old = self.config, batch.rollout
        head, value, _ = self.policy.unroll(old, batch.carry)  # type: ignore[operator]
        actions = distribution(head, self.policy.log_std)  # type: ignore[arg-type]
        log_prob = actions.log_prob(old.action)
        policy_loss = ppo_clip_loss(log_prob, old.log_prob, batch.advantage, config.clip)
        value_loss = clipped_value_loss(value, batch.value, batch.target, config.clip)
        entropy = actions.entropy().mean()
        loss = policy_loss + config.value_weight * value_loss - entropy_weight * entropy + self.beside(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(self.policy.parameters(), config.max_grad_norm)
        self.optimizer.step()
        return {
            "policy_loss": policy_loss.item(),
            "value_loss": value_loss.item(),
            "entropy": entropy.item(),
            "grad_norm": float(grad_norm),
            "kl": float((old.log_prob - log_prob.detach()).mean()),
        }


def by_ppo(horizon: Horizon) -> Callable[[nn.Module, TrainConfig], Ppo]:
    """Return what makes PPO the learner of an algorithm whose sums of reward stop at `horizon`."""
    return lambda policy, config: Ppo(policy, config.ppo, horizon, config.seed)
