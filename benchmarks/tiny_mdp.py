"""A decision process small enough to list all that can happen in it: two states, two actions, two or three steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from sdk.rl.episodes import Episodes

RIGHT = torch.tensor([[0.8, 0.3], [0.4, 0.9]], dtype=torch.float64)
"""Chance that state s and action a lead to state 1, `[s, a]`; an episode begins in state 0."""

PAYS = torch.tensor([[1.0, -0.5], [-2.0, 3.0]], dtype=torch.float64)

THETA = torch.tensor([0.4, -0.7], dtype=torch.float64)
"""The policy: the logit of action 1 in each state."""

Surrogate = Callable[[Tensor, Tensor, Episodes], Tensor]
"""From log-probabilities and rewards to go `[T, N]` of episodes to `[N]`."""


def outcomes(steps: int) -> Episodes:
    """Return every episode there can be, each a column; `obs` and `action` are the numbers of states and actions."""
    rows = torch.tensor(list(itertools.product([0, 1], repeat=2 * steps - 1)))
    state = torch.cat([torch.zeros(len(rows), 1, dtype=torch.long), rows[:, steps:]], 1).T
    action = rows[:, :steps].T
    time = torch.arange(steps, dtype=torch.float64)[:, None].expand(state.shape)
    reward = PAYS[state, action]
    return Episodes(state[..., None], action[..., None], reward, time, torch.ones_like(reward))


def log_probs(theta: Tensor, of: Episodes) -> Tensor:
    """Return log π `[…, T, N]` of the actions taken, for `theta` `[…, 2]`."""
    one = theta[..., of.obs[..., 0]]
    sign = 2.0 * of.action[..., 0] - 1
    return torch.nn.functional.logsigmoid(sign * one)


def chances(theta: Tensor, of: Episodes) -> Tensor:
    """Return the probability `[…, N]` of each episode."""
    state, action = of.obs[..., 0], of.action[..., 0]
    right = RIGHT[state[:-1], action[:-1]]
    moved = torch.where(state[1:] == 1, right, 1 - right).prod(0)
    return log_probs(theta, of).sum(-2).exp() * moved


def expected_return(theta: Tensor, of: Episodes) -> Tensor:
    """Return the mean reward of a step, as the surrogates measure, `[…]`."""
    return (chances(theta, of) * of.reward.mean(0)).sum(-1)


def to_go(of: Episodes) -> Tensor:
    """Return the sum of a reward and all that follow, `[T, N]`."""
    return of.reward.flip(0).cumsum(0).flip(0)


def expected(surrogate: Surrogate, theta: Tensor, of: Episodes, at: Tensor | None = None) -> Tensor:
    """Return the mean of a surrogate at `theta` over what a policy `at` (the same, held fixed) may have sampled."""
    sampled = chances(theta.detach() if at is None else at, of).detach()
    return (sampled * surrogate(log_probs(theta, of), to_go(of), of)).sum()
