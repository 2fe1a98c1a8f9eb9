"""Proximal policy optimisation on whole trials (Schulman et al. 2017): the base learner of every on-policy method.

    for each iteration:
        collect N trials with the current policy
        value, next_value ← critic;  advantage ← GAE, cut where the method's horizon ends
        for each epoch, for each minibatch of trials:
            re-run the policy over the trials;  descend  clip loss + value loss − entropy

Deviation: minibatches are whole trials, so that memory is always rebuilt from its start (full back-propagation).
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from domain_rand.schema import Schema
from sdk.rl.objectives import clipped_value_loss, gaussian_entropy, gaussian_log_prob, ppo_clip_loss, standardize
from sdk.rl.returns import gae
from sdk.rl.rollout import Rollout

Horizon = Literal["episode", "trial"]


class PpoConfig(Schema):
    """Settings of the base learner."""

    lr: float = Field(default=1e-3, gt=0, description="Adam step size at the start; falls linearly to a twentieth")
    epochs: int = Field(default=4, ge=1)
    minibatches: int = Field(default=4, ge=1)
    clip: float = Field(default=0.2, gt=0)
    gamma: float = Field(default=0.98, gt=0, lt=1)
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    entropy_weight: float = Field(default=0.0, ge=0)
    value_weight: float = Field(default=0.5, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)


class ActorCritic(Protocol):
    """What PPO needs of a policy besides being an `nn.Module`."""

    log_std: nn.Parameter

    def unroll(self, rollout: Rollout) -> tuple[Tensor, Tensor]: ...
    def next_values(self, rollout: Rollout, value: Tensor) -> Tensor: ...


def advantages(policy: ActorCritic, rollout: Rollout, horizon: Horizon, config: PpoConfig) -> tuple[Tensor, ...]:
    """Return (advantage, value target, value), each `[T, N]`.

    With horizon "episode", sums stop at every episode end and bootstrap from the true final observation unless it
    terminated. With "trial" they run on over inner ends and stop, bootstrapping, at the trial's end.
    """
    with torch.no_grad():
        _, value = policy.unroll(rollout)
        next_value = policy.next_values(rollout, value)
    if horizon == "episode":
        terminated, ended = rollout.terminated, torch.maximum(rollout.terminated, rollout.truncated)
    else:
        terminated = ended = torch.zeros_like(rollout.reward)
    reward = (1 - config.gamma) * rollout.reward  # values then live on the scale of one reward, whatever the horizon
    advantage, target = gae(reward, value, next_value, terminated, ended, config.gamma, config.gae_lambda)
    return advantage, target, value


class Ppo:
    """The optimiser and its update; everything random is keyed by (seed, iteration)."""

    def __init__(self, policy: nn.Module, config: PpoConfig, horizon: Horizon, seed: int) -> None:
        self.policy, self.config, self.horizon, self.seed = policy, config, horizon, seed
        self.optimizer = torch.optim.Adam(policy.parameters(), lr=config.lr, eps=1e-5)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the policy on one rollout; `progress` in [0, 1] sets the step size. Returns mean statistics."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * (1 - 0.95 * progress)
        advantage, target, value = advantages(self.policy, rollout, self.horizon, self.config)  # type: ignore[arg-type]
        advantage = standardize(advantage)
        rng = keyed_rng(self.seed, "ppo", iteration, "minibatches")
        rows = []
        for _ in range(self.config.epochs):
            for part in np.array_split(rng.permutation(rollout.reward.shape[1]), self.config.minibatches):
                index = torch.from_numpy(part)
                batch = rollout.trials(index)
                rows.append(self._descend(batch, advantage[:, index], target[:, index], value[:, index]))
        self.policy.normalizer.update(rollout.obs)  # type: ignore[union-attr, operator]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _descend(self, batch: Rollout, advantage: Tensor, target: Tensor, old_value: Tensor) -> dict[str, float]:
        config, log_std = self.config, self.policy.log_std
        mean, value = self.policy.unroll(batch)  # type: ignore[operator]
        log_prob = gaussian_log_prob(batch.action, mean, log_std)  # type: ignore[arg-type]
        policy_loss = ppo_clip_loss(log_prob, batch.log_prob, advantage, config.clip)
        value_loss = clipped_value_loss(value, old_value, target, config.clip)
        entropy = gaussian_entropy(log_std)  # type: ignore[arg-type]
        loss = policy_loss + config.value_weight * value_loss - config.entropy_weight * entropy
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(self.policy.parameters(), config.max_grad_norm)
        self.optimizer.step()
        return {
            "policy_loss": policy_loss.item(),
            "value_loss": value_loss.item(),
            "entropy": entropy.item(),
            "grad_norm": float(grad_norm),
            "kl": float((batch.log_prob - log_prob.detach()).mean()),
        }
