"""Experience to learn from again and again: whole trials, by the task they were played in.

Tasks are told apart by their true contexts: trials of equal context are trials of one task. That is all that the
context is used for here, and nothing of it reaches a policy.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdk.offdynamics.transitions import sent_actions
from sdk.rl.rollout import Rollout


class Steps(NamedTuple):
    """Some steps of experience `[…]`: observations `[…, O]`, actions `[…, A]`, the true context `[…, C]`.

    `action` is what was sampled, `sent` what limits made of it; `reward` what training pays, `told` what the policy
    heard of it, `heard` what it had heard before, 0 where an episode begins. `next_obs` truly followed. `unread` is 1
    where the policy never read what followed: its next step began another episode, or none came.
    """

    obs: Tensor
    action: Tensor
    sent: Tensor
    heard: Tensor
    reward: Tensor
    told: Tensor
    terminated: Tensor
    unread: Tensor
    next_obs: Tensor
    context: Tensor


def steps_of(rollout: Rollout) -> Steps:
    """Return a rollout's steps, trial by trial: `[N, T, …]`."""
    starts = rollout.episode_start[1:, :, 0]
    unread = torch.cat([starts, torch.ones_like(rollout.reward[:1])])
    heard = (rollout.last_reward * (1 - rollout.episode_start))[..., 0]
    paid = (heard, rollout.reward, rollout.told, rollout.terminated)
    parts = (rollout.obs, rollout.action, sent_actions(rollout), *paid, unread, rollout.final_obs, rollout.context)
    return Steps(*(x.transpose(0, 1) for x in parts))


class TaskReplay:
    """The last trials, at most `capacity` control steps of them and at most `of_a_task` trials of one task (none: all).

    Arrays are made once, by the first trials that come; the oldest trial makes room for a new one.
    """

    def __init__(self, capacity: int, of_a_task: int | None = None) -> None:
        self._capacity, self._of_a_task = capacity, of_a_task
        self._clear()

    def __len__(self) -> int:
        """Control steps that are kept."""
        return 0 if self._steps is None else len(self._played) * self._steps.reward.shape[1]

    @property
    def tasks(self) -> list[bytes]:
        """Those of which something is kept, by the oldest trial of each that is."""
        return list(dict.fromkeys(task for task, _ in self._played))

    @property
    def remembers(self) -> int:
        """How many of the last rollouts that came hold all that is kept."""
        return self._blocks - self._block_of[self._played[0][1]] if self._played else 0

    def add(self, rollout: Rollout) -> None:
        """Take in whole trials."""
        self._take(steps_of(rollout))

    def draw(self, count: int, rng: np.random.Generator) -> Steps:
        """Return `count` steps `[count]`, all that are kept being equally likely."""
        return self._at(*self._places(count, rng))

    def draw_of(self, tasks: list[bytes], count: int, rng: np.random.Generator) -> Steps:
        """Return `count` steps of each task, `[count, tasks]`."""
        slots = [self._slots[task] for task in tasks]
        chosen = np.stack([np.array(s)[rng.integers(0, len(s), count)] for s in slots], 1)
        return self._at(chosen, self._times(chosen, rng))

    def draw_read(self, tasks: list[bytes], count: int, rng: np.random.Generator) -> Steps:
        """Return steps of each task whose outcome the policy read, `[count, tasks]`, none of them twice.

        Where a task has fewer, rows with `unread` 1 fill the rest.
        """
        assert self._steps is not None
        unread, steps = self._steps.unread.numpy(), self._steps.reward.shape[1]
        index, missing = np.zeros((2, count, len(tasks)), np.int64)
        for i, task in enumerate(tasks):
            known = np.concatenate([slot * steps + np.flatnonzero(unread[slot] == 0) for slot in self._slots[task]])
            chosen = rng.permutation(known)[:count]
            index[: len(chosen), i], missing[len(chosen) :, i] = chosen, 1
        found = Steps(*(column.flatten(0, 1)[torch.from_numpy(index)] for column in self._steps))
        return found._replace(unread=torch.from_numpy(missing).float())

    def state_dict(self) -> dict[str, Any]:
        """Return the trials in the order they were played; nothing when there are none."""
        if self._steps is None:
            return {}
        order = self._order()
        return {name: column[order] for name, column in self._steps._asdict().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._clear()
        if state:
            self._take(Steps(**state))

    def _clear(self) -> None:
        self._steps: Steps | None = None
        self._slots: dict[bytes, deque[int]] = {}
        self._played: deque[tuple[bytes, int]] = deque()
        self._free: list[int] = []
        self._blocks, self._block_of = 0, dict[int, int]()

    def _take(self, new: Steps) -> None:
        if self._steps is None:
            trials = max(1, self._capacity // new.reward.shape[1])
            self._steps = Steps(*(torch.zeros(trials, *column.shape[1:]) for column in new))
            self._free = list(reversed(range(trials)))
        for i, context in enumerate(new.context[:, 0]):
            slot = self._slot_for(task_of(context))
            self._block_of[slot] = self._blocks
            for kept, column in zip(self._steps, new, strict=True):
                kept[slot] = column[i]
        self._blocks += 1

    def _slot_for(self, task: bytes) -> int:
        kept = self._slots.get(task)
        if kept and len(kept) == self._of_a_task:
            self._forget(task, kept[0])
        elif not self._free:
            self._forget(*self._played[0])
        slot = self._free.pop()
        self._slots.setdefault(task, deque()).append(slot)
        self._played.append((task, slot))
        return slot

    def _forget(self, task: bytes, slot: int) -> None:
        self._played.remove((task, slot))
        self._slots[task].popleft()
        if not self._slots[task]:
            del self._slots[task]
        self._free.append(slot)

    def _order(self) -> Tensor:
        """Slots of the trials in the order they were played."""
        return torch.tensor([slot for _, slot in self._played])

    def _places(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw slots and times `[count]` of steps, all that are kept being equally likely."""
        played = self._order().numpy()
        slots = played[rng.integers(0, len(played), count)]
        return slots, self._times(slots, rng)

    def _times(self, slots: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        assert self._steps is not None
        return rng.integers(0, self._steps.reward.shape[1], slots.shape)

    def _at(self, slots: np.ndarray, time: np.ndarray) -> Steps:
        assert self._steps is not None
        index = torch.from_numpy(slots), torch.from_numpy(time)
        return Steps(*(column[index] for column in self._steps))


def task_of(context: Tensor) -> bytes:
    """Return what tells a task's trials from those of others, given its true context `[C]`."""
    return context.numpy().tobytes()
