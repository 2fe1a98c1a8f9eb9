"""Convolutions and attention that never look ahead, and a window of rows that gives the same a step at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.nn.window import CausalConvolution, Snail, attend, attend_to_window, delayed, dilations, gated


def trials(steps: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(steps, 3, width, generator=torch.Generator().manual_seed(seed))


def snail(window: int, blocks: int = 2) -> Snail:
    torch.manual_seed(0)
    return Snail(4, filters=5, key=3, value=2, window=window, blocks=blocks)


def streamed(memory: Snail, x: Tensor) -> Tensor:
    carry, given = memory.initial_carry(x.shape[1]), []
    for row in x:
        out, carry = memory.step(row, carry)
        given.append(out)
    return torch.stack(given)


def test_delaying_puts_zeros_before_the_first_step() -> None:
    x = torch.arange(1.0, 4.0)[:, None]
    assert delayed(x, 2)[:, 0].tolist() == [0, 0, 1]
    assert delayed(x, 5)[:, 0].tolist() == [0, 0, 0]


def test_the_gate_by_hand() -> None:
    assert gated(torch.tensor([0.5, 0.0])).item() == pytest.approx(0.46211716 * 0.5)


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_convolution_receives_now_and_one_step_of_the_past_and_nothing_else(dilation: int) -> None:
    torch.manual_seed(0)
    convolution, x = CausalConvolution(4, 5, dilation), trials(8, 4)
    other = x.clone()
    other[2] += 1
    moved = (convolution(x) != convolution(other)).flatten(1).any(1)
    assert moved.nonzero().flatten().tolist() == [2, 2 + dilation]


def test_attention_by_hand_and_behind_its_mask() -> None:
    query, key = torch.tensor([[2.0]]), torch.tensor([[1.0], [0.0], [9.0]])
    value = torch.tensor([[1.0], [0.0], [50.0]])
    read = attend(query, key, value, torch.tensor([[1.0, 1.0, 0.0]]))
    assert read.item() == pytest.approx(torch.tensor(2.0).sigmoid().item())


@pytest.mark.parametrize(("steps", "window"), [(1, 3), (3, 3), (4, 3), (11, 3), (12, 4), (5, 9), (6, 1)])
def test_each_step_attends_to_itself_and_the_window_before_it(steps: int, window: int) -> None:
    query, key, value = trials(steps, 2, 0) * 3, trials(steps, 2, 1), trials(steps, 4, 2)
    read = attend_to_window(query, key, value, window)
    for t in range(steps):
        seen = slice(max(0, t - window), t + 1)
        weights = torch.einsum("nk,snk->sn", query[t], key[seen]).div(2**0.5).softmax(0)
        torch.testing.assert_close(read[t], torch.einsum("sn,snv->nv", weights, value[seen]))


def test_dilations_are_the_powers_of_two_that_fit_the_window() -> None:
    assert [dilations(n) for n in (1, 2, 3, 8, 9, 100)] == [
        [1], [1], [1, 2], [1, 2, 4], [1, 2, 4, 8], [1, 2, 4, 8, 16, 32, 64],
    ]  # fmt: skip


@pytest.mark.parametrize(("window", "steps"), [(1, 4), (2, 7), (7, 5), (7, 30), (8, 24)])
def test_a_step_at_a_time_gives_what_one_pass_gives(window: int, steps: int) -> None:
    memory, x = snail(window), trials(steps, 4)
    whole, states = memory.unroll(x, memory.initial_carry(3))
    torch.testing.assert_close(streamed(memory, x), whole, rtol=1e-5, atol=1e-6)
    assert whole.shape == (steps, 3, memory.size)
    assert states == ()


def test_nothing_comes_from_the_future() -> None:
    memory, x = snail(4), trials(14, 4)
    whole, beginning = (memory.unroll(part, ())[0] for part in (x, x[:9]))
    torch.testing.assert_close(whole[:9], beginning)


def test_rows_before_the_first_step_do_not_count() -> None:
    memory, x = snail(6), trials(1, 4)[0]
    (blank,) = memory.initial_carry(3)
    pretended = blank.clone()
    pretended[..., -1] = 1
    given, other = (memory.step(x, (rows,))[0] for rows in (blank, pretended))
    assert not torch.isclose(given, other).all()
    torch.testing.assert_close(given, memory.unroll(x[None], ())[0][0])


def test_what_left_the_window_is_forgotten_but_for_what_newer_rows_kept() -> None:
    memory, x = snail(window=2, blocks=1), trials(12, 4)
    other = x.clone()
    other[3] += 1
    moved = (memory.unroll(x, ())[0] != memory.unroll(other, ())[0]).flatten(1).any(1)
    assert moved.nonzero().flatten().tolist() == [3, 4, 5, 6]  # one step by convolution, two more by attention
