"""The negative control of everything that learns within a trial."""

from __future__ import annotations

import torch
from torch import Tensor

from sdk.nn.policies import MemoryPolicy
from sdk.nn.recurrent import Gru
from sdk.rl.rollout import Carry, Rollout


class Forgetful(MemoryPolicy):
    """The same policy with its memory wiped before every step, in acting and in learning."""

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        return super().step(obs, last_action, last_reward, episode_start, self.initial_carry(len(obs)))

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        steps = rollout.segments(1)
        head, value, states = super().unroll(steps, self.initial_carry(steps.obs.shape[1]))
        head, value, *states = (x[0].unflatten(0, rollout.reward.shape) for x in (head, value, *states))
        return head, value, tuple(states)


class ForgetfulGru(Gru):
    """A memory that rests on the present step alone."""

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        return super().step(x, (torch.zeros_like(carry[0]),))

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        every = x.flatten(0, 1)
        state, _ = super().step(every, (torch.zeros(len(every), self.size),))
        states = state.unflatten(0, x.shape[:2])
        return states, (states,)
