"""Strategies that play whole trials of a family, and what is known of their returns."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials, find_toy


@dataclass(frozen=True)
class Known:
    """A strategy's mean return by episode, and the standard error of a trial's: 0 where nothing was sampled.

    `rest` is what later episodes earn, where only those are shown that every trial has.
    """

    per_episode: tuple[float, ...]
    standard_error: float = 0.0
    rest: float = 0.0

    @property
    def total(self) -> float:
        """Mean return of a trial."""
        return sum(self.per_episode) + self.rest

    @staticmethod
    def of(returns: np.ndarray) -> Known:
        """Return what a sample of returns `[N, episodes]` tells."""
        total = returns.sum(1)
        return Known(tuple(returns.mean(0).tolist()), float(total.std(ddof=1) / len(total) ** 0.5))


def known(toy: str, settings: Mapping[str, Any] | None = None, *, tasks: int, seed: int = 0) -> dict[str, Known]:
    """Return what is known of a family by the name of each strategy; what must be sampled, on `tasks` tasks.

    Raises `ConfigError` naming the nearest family or setting.
    """
    parsed = find_toy(toy).settings.parse(settings or {}, f"toy {toy}")
    found: dict[str, Known] = importlib.import_module(f"sdk.toys.references.{toy}").references(parsed, tasks, seed)
    return found


class Player(Protocol):
    """A strategy for N trials at once. Only an oracle reads the worlds; the others, what a policy would be told."""

    def begin(self, worlds: ToyTrials) -> None: ...
    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray: ...
    def learn(self, step: TrialStep) -> None: ...


def play(worlds: ToyTrials, player: Player, indices: Sequence[int]) -> np.ndarray:
    """Play one trial of each index and return the returns by episode, `[N, episodes]`."""
    obs, _ = worlds.begin(indices)
    player.begin(worlds)
    rewards, start = [], True
    for _ in range(worlds.trial_steps):
        step = worlds.step(player.act(obs, start))
        player.learn(step)
        rewards.append(step.reward)
        obs, start = step.obs, bool(step.episode_start[0])
    by_step = np.stack(rewards, -1).astype(np.float64)
    return by_step.reshape(len(obs), worlds.episodes, worlds.episode_steps).sum(-1)


def one_hot(action: np.ndarray, size: int) -> np.ndarray:
    """Return discrete actions `[N]` as the vectors that worlds take."""
    return np.eye(size, dtype=np.float32)[action]


def toward(obs: np.ndarray, target: np.ndarray, speed: float) -> np.ndarray:
    """Return the action that closes the distance in each dimension as fast as may be, `speed` at most."""
    return np.clip((target - obs) / speed, -1, 1)


class Blind:
    """A strategy that learns nothing; families override `act`."""

    def begin(self, worlds: ToyTrials) -> None:
        self.worlds = worlds

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        raise NotImplementedError

    def learn(self, step: TrialStep) -> None:
        """Ignore what happened."""


class Random(Blind):
    """Discrete actions drawn evenly, or continuous ones from [−1, 1]."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        size = self.worlds.action_size
        if self.worlds.discrete:
            return one_hot(self._rng.integers(0, size, len(obs)), size)
        return self._rng.uniform(-1, 1, (len(obs), size))
