"""What a latent foretells of a trial: its rewards, its motion, or both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer
from sdk.rl.objectives import gaussian_log_prob
from sdk.rl.rollout import Rollout

if TYPE_CHECKING:
    from sdk.algos.base import Sizes

RewardKind = Literal["gaussian", "bernoulli"]


def waves(x: Tensor, count: int) -> Tensor:
    """Return `x` `[…, F]` beside its sines and cosines at π/4, π/2, … per unit, `[…, F·(1 + 2·count)]`.

    With them a small network can tell neighbouring places apart: a cell of a grid from the next.
    """
    angles = (x[..., None] * (math.pi / 4 * 2.0 ** torch.arange(count))).flatten(-2)
    return torch.cat([x, angles.sin(), angles.cos()], -1)


class PairDecoder(nn.Module):
    """A network of every pair of a latent and a step; the first layer is a sum, so each is multiplied only once."""

    def __init__(self, latent: int, inputs: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.of_latent = nn.Linear(latent, hidden[0], bias=False)
        self.of_step = nn.Linear(inputs, hidden[0])
        self.rest = mlp([*hidden, outputs])

    def forward(self, latent: Tensor, step: Tensor) -> Tensor:
        """Return `[B, T, N, outputs]` for latents `[B, N, L]` and steps `[T, N, inputs]`."""
        return self.rest(torch.tanh(self.of_latent(latent)[:, None] + self.of_step(step)))


class TrialDecoder(nn.Module):
    """p(rewards, motion | z, where the agent was, what it did), one step independent of the next given z.

    A reward is foretold from z, observation, action and the observation that truly followed; a motion from all but the
    last, as the change of the observation in units of its usual size. With `late`, the action before is read too: of
    a command that is still under way nothing shows yet.
    """

    def __init__(
        self,
        sizes: Sizes,
        latent: int,
        hidden: Sequence[int],
        reward: RewardKind | None,
        motion: bool,
        wave_count: int = 0,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.kind, self.wave_count, self.late = reward, wave_count, late
        after = sizes.obs * (1 + 2 * wave_count)
        before = after + sizes.action * (1 + late)
        self.obs_normalizer = Normalizer(sizes.obs)
        self.motion_normalizer = Normalizer(sizes.obs)
        self.reward = PairDecoder(latent, before + after, hidden, 1) if reward else None
        self.motion = PairDecoder(latent, before, hidden, sizes.obs) if motion else None

    def observe(self, rollout: Rollout) -> None:
        """Take the scale of observations and of their changes from new experience."""
        self.obs_normalizer.update(rollout.obs)
        self.motion_normalizer.update(rollout.final_obs - rollout.obs)

    def log_likelihood(self, latent: Tensor, rollout: Rollout) -> Tensor:
        """Return log p(step | z) `[B, T, N]` of every step of each trial under each of its latents `[B, N, L]`."""
        total = torch.zeros(1)
        if self.reward is not None:
            total = total + reward_log_prob(rollout.reward, self.foretold_reward(latent, rollout), self.kind)
        if self.motion is not None:
            change = self.motion_normalizer(rollout.final_obs - rollout.obs)
            foretold = self.motion(latent, self._before(rollout))
            total = total + gaussian_log_prob(change, foretold, torch.zeros(1))
        return total

    def foretold_reward(self, latent: Tensor, rollout: Rollout) -> Tensor:
        """Return what each latent foretells of each reward, `[B, T, N]`: its mean, or the log-odds that it pays."""
        assert self.reward is not None
        after = torch.cat([self._before(rollout), self._seen(rollout.final_obs)], -1)
        return self.reward(latent, after).squeeze(-1)

    def _before(self, rollout: Rollout) -> Tensor:
        earlier = [rollout.last_action] if self.late else []
        return torch.cat([self._seen(rollout.obs), rollout.action.clamp(-1, 1), *earlier], -1)

    def _seen(self, obs: Tensor) -> Tensor:
        return waves(self.obs_normalizer(obs), self.wave_count)


def reward_log_prob(reward: Tensor, foretold: Tensor, kind: RewardKind | None) -> Tensor:
    """Return log p(reward): a Gaussian of unit spread around `foretold`, or its log-odds of exceeding one half."""
    if kind == "bernoulli":
        paid = (reward > 0.5).to(foretold.dtype).expand_as(foretold)
        return -binary_cross_entropy_with_logits(foretold, paid, reduction="none")
    return gaussian_log_prob(reward[..., None], foretold[..., None], torch.zeros(1))
