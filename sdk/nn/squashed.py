"""Actors of tanh-Gaussian actions, whose spread depends on what they read, and the policy without memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from export.manifest import CarryState
from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer
from sdk.rl.distributions import SquashedGaussian
from sdk.rl.rollout import Carry

if TYPE_CHECKING:
    from sdk.algos.base import Sizes
    from sdk.config import PolicyConfig

NARROWEST, WIDEST = -5.0, 2.0
"""Log spreads before squashing that an actor can reach."""


class SquashedActor(nn.Module):
    """A ReLU network from what a policy knows to its actions; the spread starts as `config.log_std`.

    Before it has learned, a spread of 1 makes actions nearly uniform. Raises `ConfigError` for discrete actions.
    """

    log_std: Tensor

    def __init__(self, inputs: int, sizes: Sizes, config: PolicyConfig) -> None:
        super().__init__()
        if sizes.discrete:
            raise ConfigError("this policy puts out continuous actions, and those here are discrete; train one by PPO")
        self.actor = mlp([inputs, *config.hidden, 2 * sizes.action], config.head_gain, nn.ReLU)
        self.register_buffer("log_std", torch.full((sizes.action,), config.log_std))

    def forward(self, x: Tensor) -> SquashedGaussian:
        """Return the distribution over actions for `x` `[…, inputs]`."""
        mean, change = self.actor(x).chunk(2, -1)
        return SquashedGaussian(mean, (self.log_std + change).clamp(NARROWEST, WIDEST))


class SquashedActing(nn.Module):
    """What policies with such an actor share, whatever they know and remember: `act` says what they would do."""

    head: SquashedActor

    @property
    def log_std(self) -> Tensor:
        """The log spread that that of an action departs from."""
        return self.head.log_std

    def bind_context(self, context: Tensor) -> None:
        """Ignore the true contexts: this policy infers what it needs."""

    def act(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[SquashedGaussian, Carry]:
        """Return the distribution over actions, and the memory after reading one step."""
        raise NotImplementedError

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the action without noise `[N, A]`, and the memory after reading one step."""
        actions, carry = self.act(obs, last_action, last_reward, episode_start, carry)
        return actions.greedy, carry

    def explore(
        self,
        obs: Tensor,
        last_action: Tensor,
        last_reward: Tensor,
        episode_start: Tensor,
        carry: Carry,
        noise: Tensor,
    ) -> tuple[Tensor, Tensor, Carry]:
        """Return the action for `noise` `[N, A]`, its log-density and the next memory."""
        actions, carry = self.act(obs, last_action, last_reward, episode_start, carry)
        return *actions.sample(noise), carry


class SquashedPolicy(SquashedActing):
    """Acts on the observation alone; what leaves for a robot is tanh of the mean."""

    inputs = ("obs",)
    carry_spec: tuple[CarryState, ...] = ()

    def __init__(self, sizes: Sizes, config: PolicyConfig) -> None:
        super().__init__()
        self.sizes = sizes
        self.normalizer = Normalizer(sizes.obs)
        self.head = SquashedActor(sizes.obs, sizes, config)

    def initial_carry(self, size: int) -> Carry:
        """Return the empty memory of `size` trials."""
        return ()

    def actions(self, obs: Tensor) -> SquashedGaussian:
        """Return the distribution over actions at observations `[…, O]`."""
        return self.head(self.normalizer(obs))  # type: ignore[no-any-return]

    def act(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[SquashedGaussian, Carry]:
        """Return the distribution over actions at the observation, and no memory."""
        return self.actions(obs), carry
