"""Derivatives of surrogates beside those of the true expected return, over all outcomes of a small world."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sdk.rl.episodes import Episodes
from sdk.rl.surrogates import dice, likelihood_ratio, policy_gradient

THETA = torch.tensor([0.3, -0.8], dtype=torch.float64)
Surrogate = Callable[[Tensor, Episodes], Tensor]


def outcomes(steps: int) -> tuple[Tensor, Episodes]:
    """All sequences of two arms, as columns, and what each pays: the second step pays by what the first was, too."""
    arms = torch.tensor(list(itertools.product([0, 1], repeat=steps)), dtype=torch.float64).T
    reward = 1.0 + 2.0 * arms
    if steps == 2:
        reward[1] = reward[1] * (1 + 3 * arms[0])
    time = torch.arange(steps, dtype=torch.float64)[:, None].expand_as(arms)
    return arms, Episodes(arms[..., None], arms[..., None], reward, time, torch.ones_like(arms))


def log_probs(theta: Tensor, arms: Tensor) -> Tensor:
    """A policy of two parameters: each adds to the logit of the second arm, at one of two times or at both."""
    logit = torch.stack([theta[0], theta[0] * theta[1]])[: len(arms), None]
    return arms * torch.nn.functional.logsigmoid(logit) + (1 - arms) * torch.nn.functional.logsigmoid(-logit)


def expected_return(theta: Tensor, steps: int) -> Tensor:
    """Per step, as the surrogates are."""
    arms, of = outcomes(steps)
    chance = log_probs(theta, arms).sum(0).exp()
    return (chance * of.reward.sum(0)).sum() / steps


def by_differences(steps: int, width: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Gradient and Hessian of the expected return by central differences: the sampling distribution moves, too."""
    unit = torch.eye(2, dtype=torch.float64) * width

    def value(change: Tensor) -> Tensor:
        return expected_return(THETA + change, steps)

    gradient = torch.stack([value(u) - value(-u) for u in unit]) / (2 * width)
    rows = [[value(u + v) - value(u - v) - value(v - u) + value(-u - v) for u in unit] for v in unit]
    return gradient, torch.tensor(rows, dtype=torch.float64) / (4 * width**2)


def derivatives(surrogate: Surrogate, steps: int) -> tuple[Tensor, Tensor]:
    """The same of a surrogate, averaged over what may be sampled."""
    arms, of = outcomes(steps)
    chance = log_probs(THETA, arms).sum(0).exp()

    def mean(theta: Tensor) -> Tensor:
        return (chance * surrogate(log_probs(theta, arms), of)).sum()

    jacobian = torch.autograd.functional.jacobian(mean, THETA)
    return jacobian, torch.autograd.functional.hessian(mean, THETA)


def to_go(of: Episodes) -> Tensor:
    return of.reward.flip(0).cumsum(0).flip(0)


def plain(log_prob: Tensor, of: Episodes) -> Tensor:
    return policy_gradient(log_prob, to_go(of), of.mask)


def ratio(log_prob: Tensor, of: Episodes) -> Tensor:
    return likelihood_ratio(log_prob, log_prob.detach(), to_go(of), of.mask)


def boxed(log_prob: Tensor, of: Episodes) -> Tensor:
    return dice(log_prob, to_go(of), of)


def boxed_with_baseline(log_prob: Tensor, of: Episodes) -> Tensor:
    return dice(log_prob, to_go(of) - 2.5, of)


@pytest.mark.parametrize("surrogate", [plain, ratio, boxed, boxed_with_baseline])
@pytest.mark.parametrize("steps", [1, 2])
def test_all_estimate_the_gradient(surrogate: Surrogate, steps: int) -> None:
    found, _ = derivatives(surrogate, steps)
    torch.testing.assert_close(found, by_differences(steps)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("surrogate", "steps", "right"),
    [(boxed, 1, True), (boxed, 2, True), (ratio, 1, True), (ratio, 2, False), (plain, 1, False), (plain, 2, False)],
)
def test_who_estimates_the_hessian(surrogate: Surrogate, steps: int, right: bool) -> None:
    error = (derivatives(surrogate, steps)[1] - by_differences(steps)[1]).abs().max()
    assert bool(error < 1e-4) is right
