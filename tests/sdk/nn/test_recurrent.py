from __future__ import annotations

import torch

from sdk.nn.recurrent import Gru, Lstm


def test_an_lstm_is_that_of_the_library_and_keeps_its_cells() -> None:
    torch.manual_seed(0)
    memory, library, x = Lstm(3, 4), torch.nn.LSTM(3, 4), torch.randn(7, 2, 3)
    for name, weight in memory.cell.named_parameters():
        getattr(library, f"{name}_l0").data = weight.data
    expected, (_, cells) = library(x)
    given, states = memory.unroll(x, memory.initial_carry(2))
    torch.testing.assert_close(given, expected)
    torch.testing.assert_close(states[1][-1], cells[0])


def test_going_on_from_the_middle_equals_going_through() -> None:
    torch.manual_seed(0)
    x = torch.randn(7, 2, 3)
    for memory in (Gru(3, 4), Lstm(3, 4)):
        whole, states = memory.unroll(x, memory.initial_carry(2))
        rest, _ = memory.unroll(x[3:], tuple(state[2] for state in states))
        torch.testing.assert_close(rest, whole[3:])
        assert [spec.name for spec in memory.carry_spec][:1] == ["memory"]
