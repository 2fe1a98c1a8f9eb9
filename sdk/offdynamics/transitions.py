"""Rows of experience as the classifiers read them, whichever dynamics they come from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sdk.rl.rollout import Rollout


class Transitions(NamedTuple):
    """M steps: `obs` and `next_obs` `[M, O]`, `action` `[M, A]` as sent, `terminated` `[M]` 0 or 1."""

    obs: Tensor
    action: Tensor
    next_obs: Tensor
    terminated: Tensor

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.terminated)

    def rows(self, index: Tensor | slice) -> Transitions:
        """Return the rows at `index`."""
        return Transitions(*(x[index] for x in self))

    def endless(self) -> Transitions:
        """Return the same rows without their terminations, for comparison with rows that do not tell theirs."""
        return self._replace(terminated=torch.zeros_like(self.terminated))

    def last(self, count: int) -> Transitions:
        """Return the last `count` rows."""
        return self.rows(slice(max(0, self.size - count), None))

    def held_out(self, share: float) -> tuple[Transitions, Transitions]:
        """Split off the last rows, at least one: neighbours in time resemble each other, so no mixing."""
        first = self.size - max(1, round(share * self.size))
        return self.rows(slice(0, first)), self.rows(slice(first, None))

    @staticmethod
    def join(parts: list[Transitions]) -> Transitions:
        """Put blocks of rows one after the other."""
        return Transitions(*(torch.cat(column) for column in zip(*parts, strict=True)))


def transitions_of(rollout: Rollout) -> Transitions:
    """Return a rollout's steps as rows `[T·N]`, trial after trial."""
    parts = (rollout.obs, sent_actions(rollout), rollout.final_obs, rollout.terminated)
    return Transitions(*(x.transpose(0, 1).flatten(0, 1) for x in parts))


def sent_actions(rollout: Rollout) -> Tensor:
    """Return what was sent `[T, N, A]`: the next step's last action; where none follows in the episode, the limited
    sample."""
    limited = rollout.action.clamp(-1, 1)
    follows = torch.cat([rollout.last_action[1:], limited[-1:]])
    starts = torch.cat([rollout.episode_start[1:], torch.ones_like(rollout.episode_start[:1])])
    return torch.where(starts > 0, limited, follows)
