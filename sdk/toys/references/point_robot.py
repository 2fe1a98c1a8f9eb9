"""The point robot: the oracle of every variant, the best strategy blind to the goal, and scanning the arc.

The oracle closes the distance in each dimension as fast as it may, so it is as near as can be at every step; rewards
only grow as the distance falls, hence it is optimal whatever the variant. Without any knowledge of a dense goal the
best place is the middle of the square. Scanning is a heuristic: along the arc from (1, 0) until something pays, stay
there, and in later episodes go straight back; an episode that found nothing is taken up where it ended.
"""

from __future__ import annotations

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials
from sdk.toys.point_robot import SPEED, PointSettings, PointTrials, on_arc
from sdk.toys.references.base import Blind, Known, Random, play, toward

_AHEAD = np.linspace(0, np.arcsin(2**0.5 * SPEED), 50)
"""Angles that a scan may advance by in one step: no chord of the box of moves is longer."""


class Oracle(Blind):
    """Walk to the goal."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        assert isinstance(self.worlds, PointTrials)
        return toward(obs, self.worlds.goal, SPEED)


class Middle(Blind):
    """Walk to the origin: without knowledge of the goal, nowhere is nearer to it on average."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return toward(obs, np.zeros(2), SPEED)


class ScanArc(Blind):
    """Walk along the arc until something pays; come back there ever after."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        count = len(worlds.obs())
        self._angle, self._paid = np.zeros(count), np.zeros(count, dtype=bool)
        self._place = np.zeros((count, 2))

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return toward(obs, np.where(self._paid[:, None], self._place, self._scan(obs)), SPEED)

    def learn(self, step: TrialStep) -> None:
        new = (step.reward > 0) & ~self._paid
        self._place[new] = step.final_obs[new]
        self._paid |= new

    def _scan(self, obs: np.ndarray) -> np.ndarray:
        """Advance along the arc as far as one step reaches, and return where to."""
        angles = np.minimum(self._angle[:, None] + _AHEAD, np.pi)
        reached = np.abs(on_arc(angles) - obs[:, None]).max(-1) <= SPEED
        furthest = np.where(reached, np.arange(len(_AHEAD)), 0).max(-1)
        self._angle = angles[np.arange(len(obs)), furthest]
        return on_arc(self._angle)


def references(settings: PointSettings, tasks: int = 20_000, seed: int = 0) -> dict[str, Known]:
    """Return the oracle, and what the variant's own heuristic is worth, beside random play."""
    worlds = PointTrials(settings, tasks, seed=seed, stream="references")
    players: dict[str, Blind] = {"oracle": Oracle(), "random": Random(seed)}
    players |= {"scan": ScanArc()} if worlds.variant.sparse else {"goal_blind": Middle()}
    return {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
