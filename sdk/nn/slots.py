"""An external memory of M slots, found by content (Graves et al. 2014, 2016; Santoro et al. 2016), with a controller.

A step updates the controller, looks up `heads` vectors, then writes once: to the slot most like a key, or to the one
least used, or nowhere; all of it by soft weights, so that gradients reach every slot.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from export.manifest import CarryState
from sdk.nn.memory import Memory
from sdk.rl.rollout import Carry

EMPTY = 1e-3
"""What a slot holds at first: not quite nothing, so that its direction is defined."""

PATIENCE = 0.95
"""Share of a slot's use that is left a step later (Santoro 2016, eq. 6)."""

CHOICE = 100.0
"""Sharpness with which the least used slot is preferred."""


def similarity(slots: Tensor, keys: Tensor) -> Tensor:
    """Return the cosines `[N, H, M]` between keys `[N, H, W]` and slots `[N, M, W]` (Graves 2014, eq. 6)."""
    lengths = torch.linalg.vector_norm(slots, dim=-1)[:, None] * torch.linalg.vector_norm(keys, dim=-1, keepdim=True)
    return keys @ slots.transpose(1, 2) / (lengths + 1e-6)


def address(slots: Tensor, keys: Tensor, sharpness: Tensor) -> Tensor:
    """Return weights `[N, H, M]` that sum to 1, larger where more alike; `sharpness` `[N, H]` (Graves 2014, eq. 5)."""
    return (sharpness[..., None] * similarity(slots, keys)).softmax(-1)


def least_used(usage: Tensor) -> Tensor:
    """Return weights `[N, M]` that sum to 1, nearly all of it on the slot of least `usage` `[N, M]`."""
    return (-CHOICE * usage).softmax(-1)


def write(slots: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Return slots `[N, M, W]` after `weights` `[N, M]` of each forgot `erase` and took `add`, both `[N, W]`.

    Graves 2014, eqs. 3 and 4.
    """
    return torch.addcmul(slots, weights[..., None], add[:, None] - slots * erase[:, None])


class Slots(Memory):
    """A GRU that keeps what it cannot hold in `slots` vectors of `width` numbers, and reads `heads` of them a step."""

    def __init__(self, inputs: int, units: int, *, slots: int, width: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.size = units + heads * width
        self.carry_spec = (
            CarryState(name="controller", shape=(units,)),
            CarryState(name="slots", shape=(slots, width), initial=EMPTY),
            CarryState(name="usage", shape=(slots,), initial=tuple(i / slots for i in range(slots))),
            CarryState(name="read", shape=(heads * width,)),
        )
        self.outside = nn.Linear(inputs, 3 * units)
        self.recalled = nn.Linear(heads * width, 3 * units, bias=False)
        self.inside = nn.Linear(units, 3 * units)
        self._parts = [(heads + 1) * width, heads + 1, width + 2, width]
        self.interface = nn.Linear(units, sum(self._parts))

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        return self._step(self.outside(x), carry)

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        given, states = [], []
        for row in self.outside(x):
            out, carry = self._step(row, carry)
            given.append(out)
            states.append(carry)
        return torch.stack(given), tuple(torch.stack(column) for column in zip(*states, strict=True))

    def _step(self, outside: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        state, slots, usage, read = carry
        state = gru(outside + self.recalled(read), self.inside(state), state)
        keys, sharpness, erase, add, fresh, allowed = self._orders(state)
        alike = address(slots, keys, sharpness)
        looked, similar = alike[:, :-1], alike[:, -1]
        read = (looked @ slots).flatten(1)
        to = allowed * (similar + fresh * (least_used(usage) - similar))
        slots = write(slots, to, erase, add)
        usage = PATIENCE * usage + (to + looked.sum(1)).detach()  # as in the paper, which slot is old is not learned
        return torch.cat([state, read], -1), (state, slots, usage, read)

    def _orders(self, state: Tensor) -> tuple[Tensor, ...]:
        """Return what the controller says: keys (the last is for writing), sharpness ≥ 1, erase, add, two gates."""
        keys, sharpness, gates, add = self.interface(state).split(self._parts, -1)
        gates = gates.sigmoid()
        erase, fresh, allowed = gates[:, :-2], gates[:, -2:-1], gates[:, -1:]
        return keys.unflatten(-1, (-1, self.width)), 1 + softplus(sharpness), erase, add.tanh(), fresh, allowed


def gru(outside: Tensor, inside: Tensor, state: Tensor) -> Tensor:
    """Return the next state of a GRU from the projections `[N, 3·units]` of inputs and state (Cho et al. 2014)."""
    units = state.shape[-1]
    reset, update = (outside[:, : 2 * units] + inside[:, : 2 * units]).sigmoid().chunk(2, -1)
    candidate = torch.tanh(torch.addcmul(outside[:, 2 * units :], reset, inside[:, 2 * units :]))
    return torch.lerp(candidate, state, update)
