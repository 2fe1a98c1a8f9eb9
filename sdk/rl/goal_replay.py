"""Experience that is learned from as if what was reached had been asked for (Andrychowicz et al. 2017).

What is kept is what was played; a step is relabelled when it is drawn, and may be drawn again for another goal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from robots.goals import Goal
from sdk.rl.rollout import Rollout
from sdk.rl.task_replay import Steps, TaskReplay

Strategy = Literal["future", "final"]


@dataclass(frozen=True)
class Hindsight:
    """Which goals replace those that were asked for: `k` of `k + 1` steps get another."""

    strategy: Strategy
    k: int

    def relabelled(self, count: int) -> int:
        """Return how many of `count` steps get another goal."""
        return round(count * self.k / (self.k + 1))


class GoalReplay(TaskReplay):
    """The last trials of a task with a goal, which observations show at `shown`; draws are relabelled."""

    def __init__(self, capacity: int, goal: Goal, shown: slice, hindsight: Hindsight) -> None:
        super().__init__(capacity)
        self.goal, self.shown, self.hindsight = goal, shown, hindsight
        self._achieved: Tensor | None = None

    def add(self, rollout: Rollout) -> None:
        """Take in whole trials, with what they achieved."""
        super().add(rollout)
        self._keep(rollout.achieved.transpose(0, 1))

    def draw(self, count: int, rng: np.random.Generator) -> Steps:
        """Return `count` steps `[count]`, all that are kept being equally likely; the first of them relabelled."""
        slots, time = self._places(count, rng)
        steps, first = self._at(slots, time), self.hindsight.relabelled(count)
        if first == 0:
            return steps
        assert self._achieved is not None
        assert self._steps is not None
        slots, time = slots[:first], time[:first]
        last = last_of_episode(self._steps.unread.numpy()[slots], time)
        kept = self._achieved[torch.from_numpy(slots)].numpy()
        rows = np.arange(first)
        desired = kept[rows, goal_times(time, last, self.hindsight.strategy, rng)]
        other = relabel(Steps(*(x[:first] for x in steps)), kept[rows, time], desired, self.goal, self.shown)
        return Steps(*(torch.cat([new, old[first:]]) for new, old in zip(other, steps, strict=True)))

    def _keep(self, achieved: Tensor) -> None:
        """Put what the newest trials `[N, T, G]` achieved beside them; more than there is room for are gone again."""
        if self._achieved is None:
            assert self._steps is not None
            self._achieved = torch.zeros(len(self._steps.reward), *achieved.shape[1:])
        newest = self._order()[-len(achieved) :]
        self._achieved[newest] = achieved[-len(newest) :]


def last_of_episode(unread: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the last step `[M]` of the episodes that go on at `time` `[M]`, where `unread` `[M, T]` is 1 at ends."""
    ahead = np.arange(unread.shape[1]) >= time[:, None]
    return np.asarray(((unread > 0) & ahead).argmax(1))


def goal_times(time: np.ndarray, last: np.ndarray, strategy: Strategy, rng: np.random.Generator) -> np.ndarray:
    """Return the steps `[M]` whose achievements steps at `time` are to be asked for: the last one, or any to come.

    A step is judged by what it achieves itself, which is the first that is still to come (section 4.5).
    """
    return last if strategy == "final" else rng.integers(time, last + 1)


def relabel(steps: Steps, achieved: np.ndarray, desired: np.ndarray, goal: Goal, shown: slice) -> Steps:
    """Return steps `[M]` that achieved `[M, G]` as they would have been, had `desired` `[M, G]` been asked for.

    An episode that ended by reaching its goal would have gone on to another; one that ended by a fall would not.
    """
    other, asked = torch.from_numpy(desired), steps.obs[:, shown].numpy()
    obs, next_obs = steps.obs.clone(), steps.next_obs.clone()
    obs[:, shown] = next_obs[:, shown] = other
    fell = (steps.terminated.numpy() > 0) & ~goal.ends(achieved, asked)
    reward = torch.from_numpy(goal.reward(achieved, desired).astype(np.float32))
    terminated = torch.from_numpy((fell | goal.ends(achieved, desired)).astype(np.float32))
    return steps._replace(obs=obs, next_obs=next_obs, reward=reward, told=reward, terminated=terminated)
