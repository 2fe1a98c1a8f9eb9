"""Step policies: one pure step for acting, one whole-trial pass for learning, the same weights.

The head is a Gaussian mean, its spread one learned parameter per action; or, where `log_std` is none, the logits of a
choice among discrete actions. Memory is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.nn.layers import head, mlp, spread
from sdk.nn.memory import Memory
from sdk.nn.normalizer import Normalizer
from sdk.rl.rollout import Carry, Rollout

if TYPE_CHECKING:
    from sdk.algos.base import Sizes
    from sdk.config import PolicyConfig


class MlpPolicy(nn.Module):
    """A policy without memory: reads the observation and, as an oracle, the true context."""

    inputs = ("obs",)
    carry_spec: tuple[CarryState, ...] = ()

    def __init__(self, sizes: Sizes, config: PolicyConfig, *, oracle: bool) -> None:
        super().__init__()
        extra = sizes.context if oracle else 0
        self.oracle = oracle
        self.normalizer = Normalizer(sizes.obs)
        self.actor: nn.Module = mlp([sizes.obs + extra, *config.hidden, sizes.action], config.head_gain)
        self.critic = mlp([sizes.obs + sizes.context, *config.hidden, 1])
        self.log_std = spread(sizes.action, sizes.log_std(config))

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


def _gate(obs: int, size: int) -> nn.Linear:
    """Build a linear gate, wide open or shut from the start: what learns to look up has to tell places apart."""
    gate = nn.Linear(obs, size)
    nn.init.normal_(gate.weight)
    return gate


class MemoryPolicy(nn.Module):
    """A policy that acts on the observation and on what its memory gives, kept over the episodes of a trial.

    `memory` reads `sizes.step_inputs` numbers a step. If `gated`, the observation opens and closes what memory gives
    the actor, number by number. The critic is training's alone; if `informed_critic`, it sees the true context too,
    which only lowers the variance of the advantages.
    """

    def __init__(self, sizes: Sizes, config: PolicyConfig, memory: Memory, gated: bool = False) -> None:
        super().__init__()
        self.inputs = ("obs", "last_action", *(["last_reward"] if sizes.reads_reward else []), "episode_start")
        self.carry_spec = memory.carry_spec
        self.normalizer = Normalizer(sizes.obs)
        self.memory = memory
        seen = memory.size + sizes.obs
        self.gate = _gate(sizes.obs, memory.size) if gated else None
        self.actor = mlp([seen, *config.hidden, sizes.action], config.head_gain)
        self.informed = config.informed_critic
        self.critic = mlp([seen + sizes.context * self.informed, *config.hidden, 1])
        self.log_std = spread(sizes.action, sizes.log_std(config))

    def initial_carry(self, size: int) -> Carry:
        """Return the blank memory of `size` trials."""
        return self.memory.initial_carry(size)

    def bind_context(self, context: Tensor) -> None:
        """Ignore the true contexts: this policy infers what it needs."""

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[N, A]` and the memory after reading one observation."""
        features = self.normalizer(obs)
        given, carry = self.memory.step(self._read(features, last_action, last_reward, episode_start), carry)
        return head(self._act(given, features), self.log_std), carry

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        """Return the head `[T, N, A]`, values `[T, N]` and the memory after each step, as `Memory.unroll` does."""
        features = self.normalizer(rollout.obs)
        x = self._read(features, rollout.last_action, rollout.last_reward, rollout.episode_start)
        given, states = self.memory.unroll(x, carry)
        seen = torch.cat([given, features], -1)
        judged = torch.cat([seen, rollout.context], -1) if self.informed else seen
        return head(self._act(given, features), self.log_std), self.critic(judged).squeeze(-1), states

    def _act(self, given: Tensor, features: Tensor) -> Tensor:
        given = given if self.gate is None else given * self.gate(features)
        raw: Tensor = self.actor(torch.cat([given, features], -1))
        return raw

    def _read(self, features: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor) -> Tensor:
        parts = [features, last_action, *([last_reward] if "last_reward" in self.inputs else []), episode_start]
        return torch.cat(parts, -1)
