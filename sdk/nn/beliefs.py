"""Beliefs about the task: a diagonal Gaussian over a latent, read off a recurrent memory of the trial so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from sdk.nn.normalizer import Normalizer
from sdk.nn.recurrent import Gru
from sdk.rl.rollout import Carry, Rollout

if TYPE_CHECKING:
    from sdk.algos.base import Sizes


class Belief(NamedTuple):
    """A diagonal Gaussian over latents: mean and log variance, `[…, L]` each."""

    mean: Tensor
    log_var: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return the latent for standard normal `noise`; gradients reach both parameters."""
        return self.mean + (0.5 * self.log_var).exp() * noise

    @property
    def flat(self) -> Tensor:
        """Mean and log variance as one vector `[…, 2L]`."""
        return torch.cat([self.mean, self.log_var], -1)


class BeliefEncoder(nn.Module):
    """q(z | everything read so far): inputs are embedded, a GRU remembers them, two linear maps read the belief off.

    These maps have no bias, so that a blank memory is exactly the prior N(0, I).
    """

    def __init__(self, sizes: Sizes, embedding: int, memory: int, latent: int) -> None:
        super().__init__()
        self.inputs = ("obs", "last_action", *(["last_reward"] if sizes.reads_reward else []), "episode_start")
        self.normalizer = Normalizer(sizes.obs)
        self.embedding = nn.Linear(sizes.step_inputs, embedding)
        self.memory = Gru(embedding, memory)
        self.mean = nn.Linear(memory, latent, bias=False)
        self.log_var = nn.Linear(memory, latent, bias=False)

    def initial_carry(self, size: int) -> Carry:
        """Return the blank memory of `size` trials."""
        return self.memory.initial_carry(size)

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Belief, Carry]:
        """Return the belief `[N, L]` and the memory after reading one step."""
        state, carry = self.memory.step(self._read(obs, last_action, last_reward, episode_start), carry)
        return self.belief(state), carry

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Belief, Carry]:
        """Return the beliefs `[T, N, L]` and the memory after each step, `[T, N, memory]`."""
        x = self._read(rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start)
        states, carry = self.memory.unroll(x, carry)
        return self.belief(states), carry

    def belief(self, state: Tensor) -> Belief:
        """Return what a memory `[…, memory]` holds of the task."""
        return Belief(self.mean(state), self.log_var(state))

    def _read(self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor) -> Tensor:
        reward = [last_reward] if "last_reward" in self.inputs else []
        parts = [self.normalizer(obs), last_action, *reward, episode_start]
        return torch.relu(self.embedding(torch.cat(parts, -1)))
