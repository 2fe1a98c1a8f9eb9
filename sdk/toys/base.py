"""What a file in this folder must provide, how it is found, and the bookkeeping of trials that all of them share.

A family advances thousands of tasks at once as arrays, behind the interface of the robots (`robots.trial.TrialWorlds`).
Every episode has the same length and is cut off, never terminated.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from domain_rand.schema import ConfigError, Schema, nearest
from robots.trial import TrialStep

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class ToySettings(Schema):
    """Settings that every family has."""

    tasks: int | None = Field(default=None, ge=1, description="different tasks in a stream; none: without end")


class TaskKeys:
    """Numbers for N tasks at once, each a function of (seed, stream, task, name, position) and of nothing else.

    SplitMix64 (Steele et al. 2014), its state keyed by a hash: the vectorised counterpart of `keyed_uniform`.
    """

    def __init__(self, seed: int, stream: str, tasks: np.ndarray) -> None:
        self._key, self._tasks = f"{seed}/{stream}", tasks.astype(np.uint64)[:, None]

    def uniform(self, name: str, count: int, first: int | np.ndarray = 0) -> np.ndarray:
        """Return `[N, count]` uniform numbers in [0, 1), those at positions `first` (one, or `[N]`) and following."""
        root = hashlib.blake2b(f"{self._key}/{name}".encode(), digest_size=8).digest()
        state = _mix(_mix(self._tasks * _GOLDEN) ^ np.frombuffer(root, "<u8"))
        position = np.asarray(first, dtype=np.uint64)[..., None] + np.arange(1, count + 1, dtype=np.uint64)
        return (_mix(state + position * _GOLDEN) >> np.uint64(11)) * 2.0**-53

    def exponential(self, name: str, count: int, first: int | np.ndarray = 0) -> np.ndarray:
        """Return `[N, count]` exponential numbers of mean 1."""
        return -np.log1p(-self.uniform(name, count, first))

    def normal(self, name: str, count: int, first: int | np.ndarray = 0) -> np.ndarray:
        """Return `[N, count]` standard normal numbers (Box and Muller)."""
        pairs = self.uniform(name, 2 * count, 2 * first).reshape(-1, count, 2)
        return np.sqrt(-2 * np.log1p(-pairs[..., 0])) * np.cos(2 * np.pi * pairs[..., 1])


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class ToyTrials:
    """N trials of a family side by side; a family says what is drawn, shown and paid.

    Task `i` follows from (seed, stream, i mod `settings.tasks`), its luck (rewards, starts) from (seed, stream, i) and
    from `now`, the step of the trial that each place is at: places may play different episodes of one trial.
    """

    obs_size: int
    action_size: int
    context_size: int
    episodes: int
    episode_steps: int
    discrete = False
    reads_reward = True
    plays_abreast = True
    told_reward: np.ndarray | None = None

    def __init__(self, settings: ToySettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.size = size
        self.trial_steps = self.episodes * self.episode_steps
        self.rest_action = np.zeros(self.action_size, dtype=np.float32)
        self._settings, self._seed, self._stream = settings, seed, stream

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Begin trial `indices[i]` in place i; returns observations `[N, obs]` and contexts `[N, context]`."""
        return self.begin_abreast(indices, 1)

    def begin_abreast(self, indices: Sequence[int], count: int) -> tuple[np.ndarray, np.ndarray]:
        """Begin `count` episodes of each trial at once: place r · N + i plays episodes r, count + r, … of the ith."""
        trials = np.tile(np.asarray(indices, dtype=np.int64), count)
        self._abreast, self._first = count, np.repeat(np.arange(count), len(indices))
        tasks = trials % self._settings.tasks if self._settings.tasks else trials
        self.luck = TaskKeys(self._seed, self._stream, trials)
        self.t = 0
        context = self.draw(TaskKeys(self._seed, self._stream, tasks))
        self.start(self._first)
        return self.obs().astype(np.float32), context.astype(np.float32)

    def step(self, action: np.ndarray) -> TrialStep:
        """Advance all trials by one step; `action` `[N, A]` is one-hot, or clipped to [−1, 1]."""
        sent = (_one_hot(action) if self.discrete else np.clip(action, -1, 1)).astype(np.float32)
        reward, success = self.advance(sent)
        self.t += 1
        final_obs = self.obs().astype(np.float32)
        over = self.t % self.episode_steps == 0
        if over:
            self.start(self._episode)
        ended = np.full(len(sent), over)
        obs = self.obs().astype(np.float32)
        never, paid = np.zeros_like(ended), reward.astype(np.float32)
        told = None if self.told_reward is None else self.told_reward.astype(np.float32)
        return TrialStep(obs, paid, never, ended, final_obs, ended, sent, success, told)

    @property
    def now(self) -> np.ndarray:
        """Steps of its trial that lie before the next one of each place, `[N]`."""
        return self._episode * self.episode_steps + self.t % self.episode_steps

    @property
    def _episode(self) -> np.ndarray:
        return self.t // self.episode_steps * self._abreast + self._first

    def close(self) -> None:
        """Hold nothing, release nothing."""

    def draw(self, keys: TaskKeys) -> np.ndarray:
        """Draw the tasks and return their contexts `[N, context]`, around [−1, 1]."""
        raise NotImplementedError

    def start(self, episode: np.ndarray) -> None:
        """Begin episode `episode` `[N]` of every trial; the one behind the last is begun too, and never played."""
        raise NotImplementedError

    def obs(self) -> np.ndarray:
        """Return what is seen now, `[N, obs]`, in memory of its own."""
        raise NotImplementedError

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Play one step and return rewards and successes, `[N]` each; sets `told_reward` where the two differ."""
        raise NotImplementedError


def _one_hot(action: np.ndarray) -> np.ndarray:
    return np.eye(action.shape[-1])[action.argmax(-1)]


@dataclass(frozen=True)
class Toy:
    """One family of tasks; every file here but this one ends in `TOY = Toy(…)`."""

    name: str
    paper: str
    summary: str
    settings: type[ToySettings]
    worlds: type[ToyTrials]


def toy_names() -> list[str]:
    """Names of all families: the files of this folder."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(m.name for m in found if not m.ispkg and m.name != "base")


def find_toy(name: str) -> Toy:
    """Import one family; raises `ConfigError` naming the nearest one."""
    if name not in toy_names():
        raise ConfigError(f"unknown toy '{name}'; {nearest(name, toy_names())}")
    toy: Toy = importlib.import_module(f"sdk.toys.{name}").TOY
    return toy


def make_toy(
    name: str, settings: Mapping[str, Any] | None = None, *, size: int, seed: int, stream: str = "train"
) -> ToyTrials:
    """Build the worlds of a family. Raises `ConfigError` naming the wrong setting and the nearest valid one."""
    toy = find_toy(name)
    return toy.worlds(toy.settings.parse(settings or {}, f"toy {name}"), size, seed=seed, stream=stream)
