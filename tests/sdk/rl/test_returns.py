from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.rl.returns import gae

GAMMA, LAMBDA = 0.9, 0.8


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


REWARD, VALUE, NEXT_VALUE = column(1, 2, 3), column(0.5, 1, 1.5), column(1, 1.5, 2)
NEVER = column(0, 0, 0)


def advantages(terminated: Tensor = NEVER, ended: Tensor = NEVER, gae_lambda: float = LAMBDA) -> list[float]:
    advantage, target = gae(REWARD, VALUE, NEXT_VALUE, terminated, ended, GAMMA, gae_lambda)
    assert torch.equal(target, advantage + VALUE)
    return advantage[:, 0].tolist()


def test_three_steps_by_hand() -> None:
    # δ = 1 + 0.9·1 − 0.5, 2 + 0.9·1.5 − 1, 3 + 0.9·2 − 1.5 = 1.4, 2.35, 3.3; each carries 0.72 of what follows
    assert advantages() == pytest.approx([4.80272, 4.726, 3.3])


def test_a_terminal_cuts_the_future_off() -> None:
    # δ₁ = 2 − 1: nothing follows, and nothing flows back over the end; A₀ = 1.4 + 0.72·1
    assert advantages(terminated=column(0, 1, 0), ended=column(0, 1, 0)) == pytest.approx([2.12, 1.0, 3.3])


def test_a_truncation_stops_the_sum_but_keeps_the_value_of_what_followed() -> None:
    # δ₁ = 2.35 as if nothing had ended; A₀ = 1.4 + 0.72·2.35
    assert advantages(ended=column(0, 1, 0)) == pytest.approx([3.092, 2.35, 3.3])


def test_lambda_one_is_the_discounted_return_less_the_value() -> None:
    # 1 + 0.9·2 + 0.81·3 + 0.729·2 − 0.5 and so on
    assert advantages(gae_lambda=1) == pytest.approx([6.188, 5.32, 3.3])


def test_lambda_zero_is_one_step() -> None:
    assert advantages(gae_lambda=0) == pytest.approx([1.4, 2.35, 3.3])


def test_trials_side_by_side_do_not_touch() -> None:
    ended = torch.cat([NEVER, column(0, 1, 0)], 1)
    reward, value, next_value = (x.expand(-1, 2) for x in (REWARD, VALUE, NEXT_VALUE))
    advantage, _ = gae(reward, value, next_value, torch.zeros(3, 2), ended, GAMMA, LAMBDA)
    assert advantage[0].tolist() == pytest.approx([4.80272, 3.092])


def learned_value(time_out_is_terminal: bool) -> float:
    """Iterate V ← target in a world that pays 1 for ever, seen through episodes cut off after five steps."""
    cut = column(0, 0, 0, 0, 1)
    terminated = cut if time_out_is_terminal else torch.zeros(5, 1)
    value = torch.zeros(5, 1)
    for _ in range(200):
        _, target = gae(torch.ones(5, 1), value, value, terminated, cut, GAMMA, LAMBDA)
        value = target.mean().expand(5, 1)
    return value[0].item()


def test_a_world_without_end_is_worth_one_over_one_minus_gamma() -> None:
    assert learned_value(time_out_is_terminal=False) == pytest.approx(1 / (1 - GAMMA), rel=1e-4)
    assert learned_value(time_out_is_terminal=True) < 0.6 / (1 - GAMMA)
