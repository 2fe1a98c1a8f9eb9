from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from sdk.rl.objectives import clipped_value_loss, gaussian_entropy, gaussian_log_prob, ppo_clip_loss, standardize


@pytest.fixture
def spread() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    action, mean = torch.randn(2, 5, 4, 3, generator=generator)
    return action, mean, torch.tensor([-1.0, 0.0, 0.7])


def test_log_prob_and_entropy_are_those_of_a_diagonal_gaussian(spread: tuple[torch.Tensor, ...]) -> None:
    action, mean, log_std = spread
    reference = Independent(Normal(mean, log_std.exp()), 1)
    torch.testing.assert_close(gaussian_log_prob(action, mean, log_std), reference.log_prob(action))
    torch.testing.assert_close(gaussian_entropy(log_std), reference.entropy()[0, 0])


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.5, 2.0, -2.4, 0.0),  # better and already 1.2 times as likely: no further
        (0.5, -2.0, 1.6, 0.0),  # worse and already 0.8 times as likely: no further
        (0.5, 2.0, -1.0, -1.0),  # better, yet less likely than before: must be undone, clip or not
        (1.5, -2.0, 3.0, 3.0),  # worse, yet more likely than before
        (1.1, 2.0, -2.2, -2.2),  # inside the clip
    ],
)
def test_the_clip_stops_only_what_goes_too_far(ratio: float, advantage: float, loss: float, slope: float) -> None:
    log_prob = torch.tensor([math.log(ratio)], requires_grad=True)
    value = ppo_clip_loss(log_prob, torch.zeros(1), torch.tensor([advantage]), clip=0.2)
    value.backward()
    assert value.item() == pytest.approx(loss)
    assert log_prob.grad is not None
    assert log_prob.grad.item() == pytest.approx(slope)


@pytest.mark.parametrize(
    ("value", "loss", "slope"),
    [
        (1.1, 0.5 * 0.9**2, -0.9),  # within 0.2 of the old value 1: plain squared error to 2
        (1.8, 0.5 * 0.8**2, 0.0),  # moved too far towards the target: judged where it was held, at 1.2
        (0.5, 0.5 * 1.5**2, -1.5),  # moved away: never excused
    ],
)
def test_a_value_is_held_near_the_old_one(value: float, loss: float, slope: float) -> None:
    now = torch.tensor([value], requires_grad=True)
    result = clipped_value_loss(now, torch.tensor([1.0]), torch.tensor([2.0]), clip=0.2)
    result.backward()
    assert result.item() == pytest.approx(loss)
    assert now.grad is not None
    assert now.grad.item() == pytest.approx(slope)


def test_standardize_over_all_elements() -> None:
    x = standardize(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x.std().item() == pytest.approx(1)
    assert torch.equal(standardize(torch.full((2, 2), 3.0)), torch.zeros(2, 2))
