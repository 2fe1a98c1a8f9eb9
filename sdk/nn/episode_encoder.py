"""From a batch of episodes to numbers that tell the task: a gated recurrence, of any number of steps at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from sdk.nn.layers import affine
from sdk.rl.episodes import Episodes

SHORTEST, LONGEST = 2.0, 500.0
"""Steps that the units of a new encoder remember, spaced evenly on a logarithmic scale."""


def squeezed(x: Tensor) -> Tensor:
    """Return x for small numbers and their logarithm for large ones, with the sign of x."""
    return x.sign() * torch.log1p(x.abs())


def transitions(episodes: Episodes, obs: Tensor) -> Tensor:
    """Return what a step tells of the task, `[T, N, F]`: observation, action, reward, and how the observation changed.

    `obs` `[T, N, O]` are the observations as the policy reads them. Behind an episode's last step nothing is known of
    the change; it counts as 0.
    """
    following = torch.cat([obs[1:], torch.zeros_like(obs[:1])])
    change = (following - obs) * episodes.goes_on[..., None]
    return torch.cat([obs, squeezed(episodes.action), squeezed(episodes.reward)[..., None], change], -1)


def gated_sum(log_keep: Tensor, new: Tensor, mask: Tensor) -> Tensor:
    """Return h_T `[N, H]` of h_t = k_t ∘ h_{t−1} + (1 − k_t) ∘ new_t from h = 0, with log k and new `[T, N, H]`.

    Steps with `mask` `[T, N]` 0 change nothing. Written as a sum over steps, so that none waits for the one before
    (as Martin and Cundy 2018).
    """
    counts = mask[..., None]
    kept = log_keep * counts
    after = kept.flip(0).cumsum(0).flip(0) - kept
    return ((1 - log_keep.exp()) * new * counts * after.exp()).sum(0)


class EpisodeEncoder(nn.Module):
    """Reads the first `steps` control periods of a batch of episodes, or all; the last layer begins at 0."""

    def __init__(self, inputs: int, hidden: int, outputs: int, steps: int | None = None) -> None:
        super().__init__()
        self.steps = steps
        self.read, self.new, self.keep = (nn.Linear(n, hidden) for n in (inputs, hidden, hidden))
        self.last = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        remembered = torch.logspace(math.log10(SHORTEST), math.log10(LONGEST), hidden)
        self.keep.bias.data.copy_((remembered - 1).log())

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the outputs `[N, outputs]` for what steps tell `[T, N, inputs]`, those with `mask` `[T, N]` 1."""
        if self.steps is not None:
            mask = mask * (mask.cumsum(0) <= self.steps)
        seen = torch.tanh(affine(self.read, x))
        memory = gated_sum(logsigmoid(affine(self.keep, seen)), torch.tanh(affine(self.new, seen)), mask)
        return affine(self.last, memory)


def transition_size(obs: int, action: int) -> int:
    """Return the numbers that `transitions` tells of a step."""
    return 2 * obs + action + 1
