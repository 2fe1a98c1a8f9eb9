"""What happens between the episodes of N trials: a policy that can, adapts on those it has just played."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from sdk.rl.abreast import in_order
from sdk.rl.episodes import Episodes


class _Step(NamedTuple):
    obs: Tensor
    action: Tensor
    reward: Tensor
    time: Tensor


class Adaptation:
    """Keeps what N trials played since they last adapted, and adapts each when its batch of episodes is complete.

    A policy without `adapt` is left alone. `abreast` episodes of each trial are played side by side: the flags, like
    all that is seen, are `[abreast · N]`.
    """

    def __init__(self, policy: Any, trials: int, abreast: int = 1) -> None:
        self._policy, self._rule, self._abreast = policy, getattr(policy, "rule", None), abreast
        self._steps: list[_Step] = []
        self._episodes = torch.zeros(trials, dtype=torch.long)
        self._first = torch.zeros(trials, dtype=torch.long)
        self._time = torch.zeros(trials * abreast)

    @property
    def explores(self) -> Tensor:
        """1 where the episode will still be adapted on, `[abreast · N, 1]`: without noise there is nothing to learn."""
        if self._rule is None:
            return torch.zeros(len(self._time), 1)
        return (self._episodes < self._rule.every * self._rule.rounds).float()[:, None].repeat(self._abreast, 1)

    def after(self, obs: Tensor, action: Tensor, reward: Tensor, ended: Tensor, carry: Any) -> Any:
        """Take in a step of all trials, and return the carry they go on with; `ended` is 1 where episodes did."""
        if self._rule is None:
            return carry
        self._steps.append(_Step(obs, action, reward, self._time))
        self._time = torch.where(ended > 0, 0.0, self._time + 1)
        over = ended[: len(self._episodes)] > 0
        self._episodes += self._abreast * over.long()
        complete = over & (self._episodes % self._rule.every == 0)
        due = complete & (self._episodes <= self._rule.every * self._rule.rounds)
        if due.any():
            adapted = self._policy.adapt(self._batch(due), carry)
            carry = tuple(torch.where(_as(due, new), new, old) for new, old in zip(adapted, carry, strict=True))
        self._first[complete] = len(self._steps)
        if complete.all():
            self._steps.clear()
            self._first.zero_()
        return carry

    def _batch(self, due: Tensor) -> Episodes:
        start = int(self._first[due].min())
        columns = [torch.stack(column) for column in zip(*self._steps[start:], strict=True)]
        step = torch.arange(start, len(self._steps))[:, None]
        counts = ((step >= self._first) & due).float().repeat(1, self._abreast)
        obs, action, reward, time, mask = (in_order(x, self._abreast, len(step)) for x in (*columns, counts))
        return Episodes(obs, action, reward, time, mask)


def _as(flag: Tensor, like: Tensor) -> Tensor:
    return flag.reshape(-1, *[1] * (like.dim() - 1))
