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


def test_units_begin_by_keeping_what_they_hold_for_their_spans() -> None:
    """With nothing read and no other weights, a state of 1 decays by z = T/(1 + T) a step: T is its span."""
    torch.manual_seed(0)
    memory = Gru(1, 2000, spans=50)
    for weight in (memory.gru.weight_ih_l0, memory.gru.weight_hh_l0, memory.gru.bias_hh_l0):
        torch.nn.init.zeros_(weight)
    torch.nn.init.zeros_(memory.gru.bias_ih_l0[-2000:])
    kept, _ = memory.step(torch.zeros(1, 1), (torch.ones(1, 2000),))
    span = (kept / (1 - kept)).detach()
    assert 1 <= float(span.min()) < 1.5
    assert 48.5 < float(span.max()) <= 49 + 1e-2
    assert abs(float(span.mean()) - 25) < 1
