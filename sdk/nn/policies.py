"""Step policies: one pure step for acting, one whole-trial pass for learning, the same weights.

The head is a Gaussian mean, its spread one learned parameter per action; or, where `log_std` is none, the logits of a
choice among discrete actions. Memory is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.nn.normalizer import Normalizer
from sdk.rl.rollout import Carry, Rollout


def mlp(sizes: Sequence[int], last_gain: float = 1.0) -> nn.Sequential:
    """Build a tanh network with orthogonal weights; `last_gain` scales the output layer."""
    layers: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        linear = nn.Linear(fan_in, fan_out)
        nn.init.orthogonal_(linear.weight, last_gain if last else 2**0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, nn.Tanh()]
    return nn.Sequential(*layers)


def spread(action_size: int, log_std: float | None) -> nn.Parameter | None:
    """Return the learned log spread of the actions, or none where they are discrete."""
    return None if log_std is None else nn.Parameter(torch.full((action_size,), log_std))


def head(raw: Tensor, log_std: Tensor | None) -> Tensor:
    """Return the mean action, inside [−1, 1], or logits as they are."""
    return raw if log_std is None else torch.tanh(raw)


class MlpPolicy(nn.Module):
    """A policy without memory: reads the observation and, as an oracle, the true context."""

    inputs = ("obs",)
    carry_spec: tuple[CarryState, ...] = ()

    def __init__(
        self,
        obs_size: int,
        action_size: int,
        context_size: int,
        hidden: Sequence[int],
        log_std: float | None,
        oracle: bool,
    ) -> None:
        super().__init__()
        extra = context_size if oracle else 0
        self.oracle = oracle
        self.normalizer = Normalizer(obs_size)
        self.actor = mlp([obs_size + extra, *hidden, action_size], last_gain=0.01)
        self.critic = mlp([obs_size + context_size, *hidden, 1])
        self.log_std = spread(action_size, log_std)

    def initial_carry(self, size: int) -> Carry:
        """Return the empty memory of `size` trials."""
        return ()

    def bind_context(self, context: Tensor) -> None:
        """Tell an oracle the true contexts `[N, context]` of the trials that begin now."""
        self._context = context

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[N, A]` for observations `[N, obs]`: mean actions, or logits."""
        features = self.normalizer(obs)
        if self.oracle:
            features = torch.cat([features, self._context], -1)
        return head(self.actor(features), self.log_std), carry

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        """Return the head `[T, N, A]`, values `[T, N]` and no memory."""
        features = self.normalizer(rollout.obs)
        informed = torch.cat([features, rollout.context], -1)
        raw = self.actor(informed if self.oracle else features)
        return head(raw, self.log_std), self.critic(informed).squeeze(-1), ()

    def final_values(self, rollout: Rollout) -> Tensor:
        """Return the value `[T, N]` of the observation that truly followed each step."""
        informed = torch.cat([self.normalizer(rollout.final_obs), rollout.context], -1)
        return self.critic(informed).squeeze(-1)


class GruPolicy(nn.Module):
    """A policy whose memory is the state of a GRU, carried over the episodes of a trial.

    The critic is training's alone: it also sees the true context, which only lowers the variance of the advantages.
    """

    def __init__(
        self,
        obs_size: int,
        action_size: int,
        context_size: int,
        hidden: Sequence[int],
        memory: int,
        log_std: float | None,
        reads_reward: bool,
    ) -> None:
        super().__init__()
        self.inputs = ("obs", "last_action", *(["last_reward"] if reads_reward else []), "episode_start")
        self.carry_spec = (CarryState(name="memory", shape=(memory,)),)
        self.normalizer = Normalizer(obs_size)
        self.gru = nn.GRU(obs_size + action_size + 1 + reads_reward, memory)
        self.actor = mlp([memory + obs_size, *hidden, action_size], last_gain=0.01)
        self.critic = mlp([memory + obs_size + context_size, *hidden, 1])
        self.log_std = spread(action_size, log_std)

    def initial_carry(self, size: int) -> Carry:
        """Return the blank memory of `size` trials."""
        return (torch.zeros(size, self.gru.hidden_size),)

    def bind_context(self, context: Tensor) -> None:
        """Ignore the true contexts: this policy infers what it needs."""

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[N, A]` and the memory after reading one observation."""
        features = self.normalizer(obs)
        x = self._read(features, last_action, last_reward, episode_start)
        memory = torch.gru_cell(x, carry[0], *self.gru.all_weights[0])
        return head(self.actor(torch.cat([memory, features], -1)), self.log_std), (memory,)

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        """Return the head `[T, N, A]`, values `[T, N]` and the memory after each step, `[T, N, memory]`."""
        features = self.normalizer(rollout.obs)
        x = self._read(features, rollout.last_action, rollout.last_reward, rollout.episode_start)
        memory, _ = self.gru(x, carry[0][None])
        seen = torch.cat([memory, features], -1)
        value = self.critic(torch.cat([seen, rollout.context], -1)).squeeze(-1)
        return head(self.actor(seen), self.log_std), value, (memory,)

    def _read(self, features: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor) -> Tensor:
        parts = [features, last_action, *([last_reward] if "last_reward" in self.inputs else []), episode_start]
        return torch.cat(parts, -1)
