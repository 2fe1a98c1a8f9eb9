"""Batches of episodes to adapt on, and sums along them that never cross an episode's end.

The sums are made of shifts alone, without loops over time or choices by value: they may become part of an ONNX graph
whose number of steps is not known in advance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

if TYPE_CHECKING:
    from sdk.rl.rollout import Rollout

LONGEST = 2048
"""Control periods of the longest episode that sums reach over."""


class Episodes(NamedTuple):
    """Some episodes of each of N trials, one after the other: `obs` `[T, N, O]`, `action` `[T, N, A]`, others `[T, N]`.

    `time` counts the control periods since an episode began, from 0. Only steps with `mask` 1 count; the others may
    hold anything finite. The first that counts begins an episode, the last one ends one. `luck` `[T, N, Z]` is the
    noise that a policy's memory held for the step's episode, empty where a policy draws none.
    """

    obs: Tensor
    action: Tensor
    reward: Tensor
    time: Tensor
    mask: Tensor
    luck: Tensor = torch.empty(1, 1, 0)

    def at(self, steps: Tensor) -> Episodes:
        """Return some steps: fit for means over steps, not for sums along episodes."""
        return Episodes(*(x[steps] if x.numel() else x for x in self))

    def first(self, count: int) -> Episodes:
        """Return the first `count` episodes of each trial, with the steps in which any trial played them."""
        number = ((self.time == 0) * self.mask).cumsum(0)
        mask = self.mask * (number <= count)
        steps = int(mask.amax(1).nonzero().max()) + 1
        return self.at(torch.arange(steps))._replace(mask=mask[:steps])

    @property
    def goes_on(self) -> Tensor:
        """1 where the next step is of the same episode, `[T, N]`."""
        return (later(self.time, 1) > self.time).float() * self.mask * later(self.mask, 1)


def later(x: Tensor, steps: int) -> Tensor:
    """Return `x` `[T, N]` as it will be in so many steps; zeros beyond the end."""
    return pad(x, (0, 0, 0, steps))[steps:]


def sum_ahead(x: Tensor, factor: Tensor) -> Tensor:
    """Return y `[T, N]` with y_t = x_t + factor_t · y_{t+1}, over at most `LONGEST` steps (Hillis and Steele 1986)."""
    steps = 1
    while steps < LONGEST:
        x, factor = x + factor * later(x, steps), factor * later(factor, steps)
        steps *= 2
    return x


def sum_behind(x: Tensor, episodes: Episodes) -> Tensor:
    """Return the sum `[T, N]` of `x` from the beginning of each step's episode up to that step."""
    follows = torch.cat([torch.zeros_like(x[:1]), episodes.goes_on[:-1]])
    return sum_ahead(x.flip(0), follows.flip(0)).flip(0)


def reward_to_go(episodes: Episodes, gamma: float) -> Tensor:
    """Return the discounted sum `[T, N]` of a step's reward and of all that follow in its episode."""
    return sum_ahead(episodes.reward * episodes.mask, gamma * episodes.goes_on)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean `[N]` of `x` `[T, N]` over the steps that count."""
    return (x * mask).sum(0) / mask.sum(0).clamp(min=1.0)


def spread(x: Tensor, mask: Tensor) -> Tensor:
    """Return the standard deviation `[N]` of `x` `[T, N]` over the steps that count."""
    return masked_mean((x - masked_mean(x, mask)) ** 2, mask).sqrt()


def standardized(x: Tensor, mask: Tensor, floor: Tensor | float = 0.0) -> Tensor:
    """Return `x` `[T, N]` with mean 0 and deviation 1 over each trial's steps that count, and 0 elsewhere.

    What spreads by less than `floor`, a number or `[N]`, is divided by that instead.
    """
    centred = (x - masked_mean(x, mask)) * mask
    return centred / (torch.maximum(spread(x, mask), torch.as_tensor(floor)) + 1e-6)


def batches(rollout: Rollout, size: int, count: int) -> list[Episodes]:
    """Cut trials into `count` batches of `size` episodes each, in the order they were played.

    A batch spans the steps during which any of the trials played it. Episodes behind the last batch are left out.
    """
    ended = torch.maximum(rollout.terminated, rollout.truncated)
    batch = (ended.cumsum(0) - ended).div(size, rounding_mode="floor")
    time = time_in_episode(rollout.episode_start[..., 0])
    return [_batch(rollout, time, (batch == k).float()) for k in range(count)]


def time_in_episode(episode_start: Tensor) -> Tensor:
    """Return the control periods `[T, N]` since the last step with `episode_start` `[T, N]` 1."""
    step = torch.arange(len(episode_start), dtype=torch.float32)[:, None].expand_as(episode_start)
    return step - (step * episode_start).cummax(0).values


def _batch(rollout: Rollout, time: Tensor, mask: Tensor) -> Episodes:
    played = mask.amax(1).nonzero()
    span = slice(int(played.min()), int(played.max()) + 1)
    obs, action, reward, luck = (x[span] for x in (rollout.obs, rollout.action, rollout.reward, rollout.luck))
    return Episodes(obs, action, reward, time[span], mask[span], luck)
