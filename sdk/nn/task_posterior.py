"""What transitions say of their task, whatever their order: a product of Gaussians, one for each and the prior.

In natural parameters (precision, and precision times mean) a product is a sum. So two vectors remember everything, and
a transition is taken in by adding to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from sdk.nn.beliefs import Belief
from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer

if TYPE_CHECKING:
    from sdk.algos.base import Sizes


class Natural(NamedTuple):
    """A diagonal Gaussian, or a factor of one, by precision and precision times mean, `[…, L]` each."""

    precision: Tensor
    weighted: Tensor

    @property
    def belief(self) -> Belief:
        """The same by mean and log variance."""
        return Belief(self.weighted / self.precision, -self.precision.log())


def prior(latent: int) -> Natural:
    """Return N(0, I), `[L]` each."""
    return Natural(torch.ones(latent), torch.zeros(latent))


def product(before: Natural, factors: Natural, counts: Tensor) -> Natural:
    """Return `before` `[…, L]` times the factors `[C, …, L]` that count: `counts` `[C, …]` is 1 or 0 (eq. 1)."""
    count = counts[..., None]
    return Natural(*(b + (count * f).sum(0) for b, f in zip(before, factors, strict=True)))


class TransitionEncoder(nn.Module):
    """Ψ(z | s, a, r, s′): the factor of one transition; without `next_obs`, of (s, a, r) alone.

    What followed is read as the change of the observation. The reward is read where the robot or toy reports it, and
    with it the one heard before: an increase says where to go, when one reward says how far.
    """

    def __init__(self, sizes: Sizes, hidden: Sequence[int], latent: int, next_obs: bool) -> None:
        super().__init__()
        self.reads_reward, self.next_obs = sizes.reads_reward, next_obs
        inputs = sizes.obs * (1 + next_obs) + sizes.action + 2 * sizes.reads_reward
        self.normalizer = Normalizer(inputs)
        self.net = mlp([inputs, *hidden, 2 * latent], activation=nn.ReLU)

    def rows(self, obs: Tensor, heard: Tensor, action: Tensor, reward: Tensor, next_obs: Tensor) -> Tensor:
        """Return what is read of transitions `[…]`: their observations `[…, O]`, rewards `[…, 1]` before and after."""
        reward_part = [reward, reward - heard] if self.reads_reward else []
        change = [next_obs - obs] if self.next_obs else []
        return torch.cat([obs, action, *reward_part, *change], -1)

    def forward(self, rows: Tensor) -> Natural:
        """Return the factors `[…, L]` of such rows."""
        mean, raw = self.net(self.normalizer(rows)).chunk(2, -1)
        precision = softplus(raw)
        return Natural(precision, precision * mean)
