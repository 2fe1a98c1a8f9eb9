"""Navigation: the oracle, three steps that tell where the goal is, and ways of knowing little or nothing.

The oracle closes the distance in each dimension as fast as it may, so it is as near as can be at every step. Blind to
the goal, nowhere is nearer to it on average than the start. Where controls may be reversed, the oracle knows it. An
untrained policy of the paper draws actions of unit spread, ten times what a step may be: it mostly moves at full speed.
"""

from __future__ import annotations

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials
from sdk.toys.navigation import SPEED, NavigationSettings, NavigationTrials
from sdk.toys.references.base import Blind, Known, Random, play, toward

_PROBES = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
"""Moves to (0.1, 0), to (0, 0.1) and back to the start."""


class Oracle(Blind):
    """Walk to the goal."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        assert isinstance(self.worlds, NavigationTrials)
        return self.worlds.sense * toward(obs, self.worlds.goal, SPEED)


class Stay(Blind):
    """Stay at the start."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return np.zeros_like(obs)


class Untrained(Blind):
    """Draw moves from a normal distribution of spread 1, as the paper's policies do before they learn."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return self._rng.normal(0, 1 / SPEED, obs.shape)


class Trilaterate(Blind):
    """Take three steps, read the goal off the three distances, and walk there ever after."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        self._squares: list[np.ndarray] = []

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        if len(self._squares) < len(_PROBES):
            return np.tile(_PROBES[len(self._squares)], (len(obs), 1))
        return toward(obs, self._goal, SPEED)

    def learn(self, step: TrialStep) -> None:
        if len(self._squares) < len(_PROBES):
            self._squares.append(step.reward.astype(np.float64) ** 2)
            self._goal = located(*self._squares) if len(self._squares) == len(_PROBES) else step.final_obs
        self._goal = np.where(step.reward[:, None] == 0, step.final_obs, self._goal)  # it was met on the way


def located(right: np.ndarray, up: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the goals `[N, 2]` whose squared distances from the three probes are these, `[N]` each."""
    return np.stack([start - right + SPEED**2, start - up + SPEED**2], -1) / (2 * SPEED)


def references(settings: NavigationSettings, tasks: int = 20_000, seed: int = 0) -> dict[str, Known]:
    """Return the oracle, what three distances are worth, and what is reached in ignorance."""
    worlds = NavigationTrials(settings, tasks, seed=seed, stream="references")
    players: dict[str, Blind] = {"oracle": Oracle(), "goal_blind": Stay()}
    players |= {} if settings.reversible else {"trilaterate": Trilaterate()}
    players |= {"untrained": Untrained(seed), "random": Random(seed)}
    return {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
