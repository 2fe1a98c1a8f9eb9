"""The negative control of everything that learns within a trial."""

from __future__ import annotations

from torch import Tensor

from sdk.nn.policies import MemoryPolicy
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
