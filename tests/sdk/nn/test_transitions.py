from __future__ import annotations

import torch

from sdk.nn.recurrent import Gru, Lstm
from sdk.nn.transitions import Transitions


def test_it_reads_the_observation_before_beside_the_step() -> None:
    torch.manual_seed(0)
    memory, x = Transitions(5, 2, 8, lambda inputs: Gru(inputs, 4)), torch.randn(6, 3, 5)
    seen: list[torch.Tensor] = []
    memory.layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    memory.unroll(x, memory.initial_carry(3))
    (rows,) = seen
    torch.testing.assert_close(rows[..., :5], x)
    torch.testing.assert_close(rows[1:, :, 5:], x[:-1, :, :2])
    assert not rows[0, :, 5:].any()


def test_steps_equal_the_whole_and_going_on_from_the_middle() -> None:
    torch.manual_seed(0)
    x = torch.randn(7, 2, 5)
    for cell in (Gru, Lstm):
        memory = Transitions(5, 2, 8, lambda inputs, cell=cell: cell(inputs, 4))
        whole, states = memory.unroll(x, memory.initial_carry(2))
        rest, _ = memory.unroll(x[3:], tuple(state[2] for state in states))
        torch.testing.assert_close(rest, whole[3:])
        carry = memory.initial_carry(2)
        for t, row in enumerate(x):
            given, carry = memory.step(row, carry)
            torch.testing.assert_close(given, whole[t])
        assert [spec.name for spec in memory.carry_spec][-1] == "last_obs"
