"""Gradients of the return after adapting: the surrogates' beside the true one, over all that may be sampled.

Two objectives, both by listing every outcome (Rothfuss et al. 2019, section 4):
    I   J(θ + α ∇J(θ)): enough is sampled to know the gradient; what counts is its derivative, the Hessian of J
    II  E_τ[J(θ + α ∇̂(τ))]: one episode is sampled; what counts too is which one that will be
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.curvature import curved, plain
from benchmarks.tiny_mdp import (
    PAYS,
    RIGHT,
    THETA,
    Surrogate,
    chances,
    expected,
    expected_return,
    log_probs,
    outcomes,
    to_go,
)
from sdk.rl.episodes import Episodes
from sdk.rl.inner_step import gradient_step
from sdk.rl.surrogates import dice, exploration

ALPHA = 2.0


def gradient(value: Tensor, theta: Tensor) -> Tensor:
    return torch.autograd.grad(value, theta)[0]


def after_the_expected_step(theta: Tensor, of: Episodes, surrogate: Surrogate | None) -> Tensor:
    """Objective I, its inner step up the mean of a surrogate, or up the true return."""

    def loss(x: Tensor) -> Tensor:
        at = theta + x[0]
        return -(expected_return(at, of) if surrogate is None else expected(surrogate, at, of, theta))[None]

    change = gradient_step(loss, torch.zeros(1, 2, dtype=torch.float64), ALPHA, max_norm=1e9)
    return expected_return(theta + change[0], of)


def by_differences(of: Episodes, width: float = 1e-5) -> Tensor:
    unit = torch.eye(2, dtype=torch.float64) * width
    values = [[after_the_expected_step(THETA + s * u, of, None) for s in (1, -1)] for u in unit]
    return torch.stack([(up - down) / (2 * width) for up, down in values])


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize(
    ("surrogate", "right"), [(dice, {1, 2, 3}), (curved, {1}), (plain, set())], ids=["dice", "curved", "plain"]
)
def test_who_differentiates_the_expected_step(surrogate: Surrogate, right: set[int], steps: int) -> None:
    theta, of = THETA.clone().requires_grad_(), outcomes(steps)
    found = gradient(after_the_expected_step(theta, of, surrogate), theta)
    assert bool((found - by_differences(of)).abs().max() < 1e-6) is (steps in right)


def with_the_rest_held_fixed(theta: Tensor, steps: int) -> Tensor:
    """Return Σ_t Σ_s d_t(s) Σ_a π(a|s) Q_t(s, a) per step: π as given, d and Q at THETA."""

    def policy(at: Tensor) -> Tensor:
        return torch.stack([1 - at.sigmoid(), at.sigmoid()], -1)

    worth, state = [PAYS], torch.tensor([1.0, 0.0], dtype=torch.float64)
    for _ in range(steps - 1):
        value = (policy(THETA) * worth[0]).sum(-1)
        worth.insert(0, PAYS + RIGHT * value[1] + (1 - RIGHT) * value[0])
    total = torch.zeros((), dtype=torch.float64)
    for q in worth:
        total = total + (state[:, None] * policy(theta) * q).sum() / steps
        right = (state[:, None] * policy(THETA) * RIGHT).sum()
        state = torch.stack([1 - right, right])
    return total


@pytest.mark.parametrize("steps", [2, 3])
def test_low_variance_curvature_leaves_out_what_an_action_changes_for_later_ones(steps: int) -> None:
    of, hessian = outcomes(steps), torch.autograd.functional.hessian
    found = hessian(lambda x: expected(curved, x, of, THETA), THETA)
    torch.testing.assert_close(found, hessian(lambda x: with_the_rest_held_fixed(x, steps), THETA))
    assert (found - hessian(lambda x: expected_return(x, of), THETA)).norm() > 0.05


def adapted_on_each(theta: Tensor, of: Episodes) -> Tensor:
    """Return θ `[N, 2]` after a step on each episode alone."""

    def loss(x: Tensor) -> Tensor:
        log_prob = torch.stack([log_probs(theta + x[n], of)[:, n] for n in range(len(x))], 1)
        return -plain(log_prob, to_go(of), of)

    start = torch.zeros(of.reward.shape[1], 2, dtype=torch.float64)
    return theta + gradient_step(loss, start, ALPHA, max_norm=1e9)


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("credited", [True, False])
def test_credit_for_exploring_makes_the_sampled_step_s_gradient_right(steps: int, credited: bool) -> None:
    theta, of = THETA.clone().requires_grad_(), outcomes(steps)
    exact = gradient((chances(theta, of) * expected_return(adapted_on_each(theta, of), of)).sum(), theta)
    seen, after = chances(theta, of).detach(), adapted_on_each(theta, of)
    log_prob, total = log_probs(theta, of), torch.zeros((), dtype=torch.float64)
    for n in range(len(after)):
        total = total + seen[n] * expected(curved, after[n], of)
    for later in range(len(after)):  # every later episode, whatever was adapted on
        credit = of.reward[:, later].mean().expand(len(after))
        tried = exploration(log_prob, log_prob.detach(), credit, of.mask) * steps
        total = total + credited * (seen * chances(after, of)[:, later].detach() * tried).sum()
    assert bool(torch.allclose(gradient(total, theta), exact, rtol=1e-8, atol=1e-10)) is credited
