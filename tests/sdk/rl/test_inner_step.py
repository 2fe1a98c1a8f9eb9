"""Exact answers in quadratic worlds: L(θ) = ½‖θ − c‖² for tasks c."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.rl.inner_step import gradient_step, shortened

ALPHA = 0.3
GOALS = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 1.0]], dtype=torch.float64)


def distance(weights: Tensor) -> Tensor:
    return 0.5 * (weights - GOALS).square().sum(-1)


def meta_gradient(steps: int, first_order: bool) -> tuple[Tensor, Tensor]:
    """The gradient of the mean loss after some steps, and what weights it was taken at."""
    shared = torch.tensor([0.4, 0.7], dtype=torch.float64, requires_grad=True)
    change = torch.zeros_like(GOALS)
    for _ in range(steps):
        change = gradient_step(lambda x: distance(shared + x), change, ALPHA, max_norm=1e9, first_order=first_order)
    distance(shared + change).mean().backward()
    assert shared.grad is not None
    return shared.grad, shared.detach()


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradients_are_exact(steps: int, first_order: bool) -> None:
    found, at = meta_gradient(steps, first_order)
    power = steps if first_order else 2 * steps
    torch.testing.assert_close(found, (1 - ALPHA) ** power * (at - GOALS.mean(0)), rtol=1e-9, atol=1e-9)


def test_rows_adapt_each_to_their_own_loss() -> None:
    moved = gradient_step(distance, torch.zeros_like(GOALS), ALPHA, max_norm=1e9)
    torch.testing.assert_close(moved, ALPHA * GOALS)


def test_each_number_may_have_a_step_size_of_its_own_and_learn_it() -> None:
    size = torch.tensor([0.1, 0.5], dtype=torch.float64, requires_grad=True)
    moved = gradient_step(distance, torch.zeros_like(GOALS), size, max_norm=1e9)
    torch.testing.assert_close(moved, size * GOALS)
    moved.sum().backward()
    torch.testing.assert_close(size.grad, GOALS.sum(0))


def test_long_gradients_are_shortened_and_short_ones_are_not() -> None:
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], requires_grad=True)
    y = shortened(x, 1.0)
    torch.testing.assert_close(y, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))
    y.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
