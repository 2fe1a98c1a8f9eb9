"""Memory of whole transitions: a layer in front of any memory that sees the observation before beside what is new.

A step brings what the last action led to, not what it was taken in: a memory that reads steps as they come has to keep
the observation itself until its reward arrives. Here it is handed both at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.nn.memory import Memory
from sdk.rl.rollout import Carry


class Transitions(Memory):
    """Reads `width` features of (observation before, all that is read now) into the memory that `make` builds.

    The observation is the first `obs` numbers of what is read; before the first step it is all zeros.
    """

    def __init__(self, inputs: int, obs: int, width: int, make: Callable[[int], Memory]) -> None:
        super().__init__()
        self._obs = obs
        linear = nn.Linear(inputs + obs, width)
        nn.init.orthogonal_(linear.weight, 2**0.5)
        self.layer = nn.Sequential(linear, nn.ReLU())
        self.inner = make(width)
        self.size = self.inner.size
        self.carry_spec = (*self.inner.carry_spec, CarryState(name="last_obs", shape=(obs,)))

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        given, kept = self.inner.step(self.layer(torch.cat([x, carry[-1]], -1)), carry[:-1])
        return given, (*kept, x[..., : self._obs])

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        obs = x[..., : self._obs]
        before = torch.cat([carry[-1][None], obs[:-1]])
        given, kept = self.inner.unroll(self.layer(torch.cat([x, before], -1)), carry[:-1])
        return given, (*kept, obs) if kept else ()
