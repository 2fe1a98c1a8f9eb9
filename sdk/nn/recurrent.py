"""Recurrent memories: the state of a GRU (Cho et al. 2014) or of an LSTM (Hochreiter and Schmidhuber 1997)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.nn.memory import Memory
from sdk.rl.rollout import Carry


class Gru(Memory):
    """One layer of gated recurrent units; it gives its whole state.

    With `spans`, unit i begins by keeping what it holds for about T_i ~ U(1, spans − 1) steps, instead of one or two:
    the bias of its update gate is log T_i (Tallec & Ollivier 2018, section 2).
    """

    def __init__(self, inputs: int, units: int, spans: int | None = None) -> None:
        super().__init__()
        self.size = units
        self.carry_spec = (CarryState(name="memory", shape=(units,)),)
        self.gru = nn.GRU(inputs, units)
        if spans is not None:
            update = slice(units, 2 * units)
            self.gru.get_parameter("bias_ih_l0").data[update] = torch.empty(units).uniform_(1, spans - 1).log()

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        state = torch.gru_cell(x, carry[0], *self.gru.all_weights[0])
        return state, (state,)

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        states, _ = self.gru(x, carry[0][None].contiguous())
        return states, (states,)


class Lstm(Memory):
    """One layer of long short-term memory; it gives its output and keeps its cells beside it."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.size = units
        self.carry_spec = (CarryState(name="memory", shape=(units,)), CarryState(name="cells", shape=(units,)))
        self.cell = nn.LSTMCell(inputs, units)

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        output, cells = self.cell(x, (carry[0], carry[1]))
        return output, (output, cells)

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """As declared; step by step, since `nn.LSTM` returns the cells of the last step only."""
        states = []
        for row in x:
            _, carry = self.step(row, carry)
            states.append(carry)
        output, cells = (torch.stack(column) for column in zip(*states, strict=True))
        return output, (output, cells)
