"""What every kind of memory offers a policy: one pure step, and the same over whole trials."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.rl.rollout import Carry


class Memory(nn.Module):
    """Turns what is read at each step into `size` numbers that may depend on everything read before.

    `carry_spec` names the tensors it keeps between steps, and what they are at the start of a trial.
    """

    size: int
    carry_spec: tuple[CarryState, ...]

    def initial_carry(self, size: int) -> Carry:
        """Return the blank memory of `size` trials."""
        return tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in self.carry_spec)

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Return what it gives `[N, size]` after reading `x` `[N, inputs]`, and the next carry."""
        raise NotImplementedError

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Return what it gives `[T, N, size]` while reading `x` `[T, N, inputs]`, and the carry after each step.

        The latter has leading dimensions `[T, N]`. A memory that cannot go on from the middle of a trial returns none.
        """
        raise NotImplementedError
