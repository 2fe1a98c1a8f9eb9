"""Soft actor-critic (Haarnoja et al. 2018): its losses as pure functions, and the critics and temperature they move.

Everything off-policy here shares them; how actors and critics read their inputs is each algorithm's affair.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.schema import Schema
from sdk.rl.annealing import anneal


class SoftConfig(Schema):
    """Settings that every algorithm with soft critics has, under `method`."""

    lr: float = Field(default=1e-3, gt=0, description="Adam step size of actor, critics and temperature")
    anneal: bool = Field(default=False, description="whether that falls linearly, to a twentieth at the run's end")
    gamma: float = Field(default=0.98, ge=0, lt=1)
    tau: float = Field(default=0.005, gt=0, le=1, description="share of the way that slow critics follow in a descent")
    batch: int = Field(default=256, ge=1, description="rows of a descent")
    updates_per_step: float = Field(default=1.0, gt=0, description="descents for each control step that was collected")
    warm_up: int = Field(default=1000, ge=0, description="control steps to collect before the first descent")
    replay: int = Field(default=100_000, ge=1, description="control steps to learn from: those of the last trials")
    temperature: float = Field(default=0.1, gt=0, description="reward that a nat of entropy is worth, at the start")
    automatic: bool = Field(default=True, description="whether the temperature moves towards the target entropy")
    target_entropy: float = Field(default=-1.0, description="nats an action dimension, before which it falls")
    action_l2: float = Field(
        default=0.0, ge=0, description="what the mean square of actions costs the actor, and no critic hears of"
    )
    reward_scale: float = Field(default=1.0, gt=0, description="what critics see of a reward")
    max_grad_norm: float = Field(default=10.0, gt=0)


def critic_target(
    reward: Tensor, terminated: Tensor, next_value: Tensor, next_log_prob: Tensor, temperature: Tensor, gamma: float
) -> Tensor:
    """Return r + γ (1 − terminated) (min Q(s′, a′) − α log π(a′ | s′)) `[…]` (Haarnoja 2018, eq. 3 and 8).

    `next_value` `[2, …]` holds both slow critics at what truly followed, and a′ is drawn there. An episode that was cut
    off goes on in it; only `terminated` means that nothing follows.
    """
    return reward + gamma * (1 - terminated) * (next_value.amin(0) - temperature * next_log_prob)


def critic_loss(value: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the sum over critics `[2, …]` of half the mean squared error (eq. 5), each row times its weight."""
    error = (value - target) ** 2 if weight is None else weight * (value - target) ** 2
    return 0.5 * error.flatten(1).mean(1).sum()


def actor_loss(value: Tensor, log_prob: Tensor, temperature: Tensor) -> Tensor:
    """Return the mean of α log π − min Q for actions of the policy itself, values `[2, …]` (eq. 9)."""
    return (temperature * log_prob - value.amin(0)).mean()


def temperature_loss(log_temperature: Tensor, log_prob: Tensor, target_entropy: float) -> Tensor:
    """Return what falls with log α where actions are too certain, and rises where not (section 6, with log α for α)."""
    return -(log_temperature * (log_prob.detach() + target_entropy)).mean()


Critic = TypeVar("Critic", bound=nn.Module)


class SoftCritics(Generic[Critic]):
    """A pair of critics, their slow copy, the temperature, and the optimisers of these and of an actor.

    `critic` is any module; what else learns from its loss (an encoder) goes into `with_critic`.
    """

    def __init__(
        self,
        critic: Critic,
        actor: Iterable[nn.Parameter],
        action_size: int,
        config: SoftConfig,
        with_critic: Iterable[nn.Parameter] = (),
    ) -> None:
        self.config, self.critic = config, critic
        self.slow: Critic = copy.deepcopy(critic).requires_grad_(False)
        self.target_entropy = config.target_entropy * action_size
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self._groups = {"critic": [*critic.parameters(), *with_critic], "actor": list(actor)}
        self._groups["temperature"] = [self.log_temperature]
        self._optimizers = {name: torch.optim.Adam(g, lr=config.lr, fused=True) for name, g in self._groups.items()}

    @property
    def temperature(self) -> Tensor:
        """What a nat of entropy is worth now."""
        return self.log_temperature.detach().exp()

    def pace(self, progress: float) -> None:
        """Set the step sizes for the share of the run that is over: late, small ones settle what they find."""
        if self.config.anneal:
            for optimizer in self._optimizers.values():
                anneal(optimizer, self.config.lr, progress)

    def target(self, reward: Tensor, terminated: Tensor, next_value: Tensor, next_log_prob: Tensor) -> Tensor:
        """Return what both critics are to say, a constant."""
        reward, gamma = self.config.reward_scale * reward, self.config.gamma
        return critic_target(reward, terminated, next_value, next_log_prob, self.temperature, gamma).detach()

    def descend_critics(self, loss: Tensor) -> None:
        """Take a step down the critics' loss, and let the slow copy follow."""
        self._step("critic", loss)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.slow.parameters()), list(self.critic.parameters()), self.config.tau)

    def descend_actor(self, value: Tensor, log_prob: Tensor, action: Tensor) -> None:
        """Take a step of the actor for the values `[2, …]` of its own actions `[…, A]`, then one of the temperature.

        `action_l2` is the penalty of Plappert et al. (2018): without it, actions run to their limits where values
        hardly differ.
        """
        cost = self.config.action_l2 * (action**2).mean()
        self._step("actor", actor_loss(value, log_prob, self.temperature) + cost)
        if self.config.automatic:
            self._step("temperature", temperature_loss(self.log_temperature, log_prob, self.target_entropy))

    def statistics(self, loss: Tensor, value: Tensor, log_prob: Tensor) -> dict[str, float]:
        """Return what there is to watch of a descent."""
        return {
            "critic_loss": loss.item(),
            "value": value.mean().item(),
            "entropy": -log_prob.mean().item(),
            "temperature": self.temperature.item(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return critics, temperature and optimisers."""
        optimizers = {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}
        modules = {"critic": self.critic.state_dict(), "slow": self.slow.state_dict()}
        return {**modules, "log_temperature": self.log_temperature.detach(), "optimizers": optimizers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.critic.load_state_dict(state["critic"])
        self.slow.load_state_dict(state["slow"])
        self.log_temperature.data.copy_(state["log_temperature"])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])

    def _step(self, name: str, loss: Tensor) -> None:
        group = self._groups[name]
        gradients = torch.autograd.grad(loss, group)
        for parameter, gradient in zip(group, gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(group, self.config.max_grad_norm)
        self._optimizers[name].step()


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each number over several descents."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
