"""Slots found by content: addressing, writing and the order in which slots are used, each with a known answer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sdk.nn.slots import EMPTY, Slots, address, gru, least_used, similarity, write

BASIS = torch.eye(4, 5)[None] * 3
"""Four slots of five numbers, no two alike."""


def test_similarity_is_the_cosine() -> None:
    keys = torch.tensor([[[2.0, 2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 7.0]]])
    expected = torch.tensor([[[0.5**0.5, 0.5**0.5, 0, 0], [0, 0, 0, 0]]])
    torch.testing.assert_close(similarity(BASIS, keys), expected)


def test_a_sharp_key_returns_the_vector_that_was_written() -> None:
    written = torch.tensor([[0.3, -1.0, 2.0, 0.5, 0.1]])
    slots = write(BASIS, torch.eye(4)[2:3], torch.ones(1, 5), written)
    weights = address(slots, written[None], torch.full((1, 1), 100.0))
    torch.testing.assert_close((weights @ slots)[0], written, rtol=1e-4, atol=1e-4)


def test_a_blunt_key_reads_everything_alike() -> None:
    weights = address(BASIS, torch.randn(1, 2, 5), torch.zeros(1, 2))
    torch.testing.assert_close(weights, torch.full((1, 2, 4), 0.25))


def test_writing_erases_and_adds_by_weight_and_leaves_the_rest() -> None:
    slots = write(BASIS, torch.tensor([[1.0, 0.5, 0.0, 0.0]]), torch.full((1, 5), 0.5), torch.ones(1, 5))
    assert slots[0, 0].tolist() == [2.5, 1, 1, 1, 1]
    assert slots[0, 1].tolist() == [0.5, 2.75, 0.5, 0.5, 0.5]
    assert torch.equal(slots[0, 2:], BASIS[0, 2:])


def test_the_least_used_slot_is_chosen() -> None:
    weights = least_used(torch.tensor([[0.5, 0.1, 0.9, 0.3]]))
    torch.testing.assert_close(weights, torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
    torch.testing.assert_close(least_used(torch.ones(1, 4)), torch.full((1, 4), 0.25))


def test_the_controller_is_the_gru_of_the_library() -> None:
    torch.manual_seed(0)
    x, state, cell = torch.randn(3, 6), torch.randn(3, 4), nn.GRUCell(6, 4)
    outside = nn.functional.linear(x, cell.weight_ih, cell.bias_ih)
    inside = nn.functional.linear(state, cell.weight_hh, cell.bias_hh)
    torch.testing.assert_close(gru(outside, inside, state), cell(x, state))


def obedient(fresh: float, allowed: float) -> Slots:
    """A memory whose controller always writes ones, and looks nowhere in particular."""
    memory = Slots(2, 3, slots=4, width=5, heads=1)
    nn.init.zeros_(memory.interface.weight)
    with torch.no_grad():
        keys, sharpness, erase, add = memory.interface.bias.split([10, 2, 5 + 2, 5])
        keys.fill_(1.0)
        sharpness.fill_(-20.0)
        erase.copy_(torch.tensor([30.0] * 5 + [fresh, allowed]))
        add.fill_(30.0)
    return memory


def slots_after(memory: Slots, steps: int) -> Tensor:
    carry = memory.initial_carry(1)
    for _ in range(steps):
        _, carry = memory.step(torch.zeros(1, 2), carry)
    return carry[1][0]


def test_writing_afresh_fills_one_empty_slot_after_the_other() -> None:
    memory = obedient(fresh=30.0, allowed=30.0)
    for steps in (1, 2, 3):
        filled = slots_after(memory, steps).mean(-1)
        torch.testing.assert_close(filled, (torch.arange(4) < steps).float(), rtol=0, atol=0.01)


def test_a_closed_gate_writes_nothing() -> None:
    torch.testing.assert_close(slots_after(obedient(fresh=30.0, allowed=-30.0), 5), torch.full((4, 5), EMPTY))


def test_writing_by_likeness_goes_where_the_key_points() -> None:
    memory = obedient(fresh=-30.0, allowed=30.0)
    with torch.no_grad():
        memory.interface.bias[5:10] = BASIS[0, 2]
        memory.interface.bias[11] = 100.0
    usage, read = memory.initial_carry(1)[2:]
    _, carry = memory.step(torch.zeros(1, 2), (torch.zeros(1, 3), BASIS, usage, read))
    expected = BASIS.clone()
    expected[0, 2] = 1
    torch.testing.assert_close(carry[1], expected)


def test_what_was_read_can_be_traced_to_what_was_written_steps_before() -> None:
    torch.manual_seed(0)
    memory, x = Slots(2, 3, slots=4, width=5, heads=2), torch.randn(6, 1, 2, requires_grad=True)
    given, states = memory.unroll(x, memory.initial_carry(1))
    given[-1, :, 3:].sum().backward()
    assert x.grad is not None
    assert (x.grad[0] != 0).all()
    assert given.shape == (6, 1, memory.size) == (6, 1, 3 + 2 * 5)
    assert [tuple(s.shape) for s in states] == [(6, 1, *spec.shape) for spec in memory.carry_spec]


@pytest.mark.parametrize("heads", [1, 3])
def test_weights_of_reading_sum_to_one_and_usage_counts_them(heads: int) -> None:
    memory = Slots(2, 3, slots=4, width=5, heads=heads)
    before = memory.initial_carry(1)[2]
    _, (_, _, after, _) = memory.step(torch.zeros(1, 2), memory.initial_carry(1))
    written = after.sum() - 0.95 * before.sum() - heads
    assert 0 < written < 1
