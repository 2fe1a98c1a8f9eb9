"""Corner world: the straight walk, finding the corner first, knowing nothing, and the loop that pays best.

`oracle` knows the goal and goes to and fro across the line where pay begins, as often as leaves time to walk home. It
is close to the best there is: the n steps of an episode pay at most d = 0.2·√2 each, and what was paid is the distance
at the start, less that at the end, plus what unpaid steps gave back, again at most d each. Hence the return of an
episode from distance D is at most (D + n·d) / 2.
"""

from __future__ import annotations

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials
from sdk.toys.corner import CORNERS, SPEED, CornerSettings, CornerTrials, pays
from sdk.toys.references.base import Blind, Known, Random, play, toward

_LOOKOUT = 0.15 * CORNERS
"""A place in each quarter where the corner's pay begins."""


def upper_bound(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return what no episode from `start` `[N, 2]` can exceed."""
    step = 2**0.5 * SPEED
    bound: np.ndarray = (np.linalg.norm(start - goal, axis=-1) + CornerTrials.episode_steps * step) / 2
    return bound


class Straight(Blind):
    """Walk to the goal and stay there."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        assert isinstance(self.worlds, CornerTrials)
        return toward(obs, self.worlds.goal, SPEED)


class Loop(Straight):
    """Step in where that pays, step out where it is free; at the end walk to the goal."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        assert isinstance(self.worlds, CornerTrials)
        goal = self.worlds.goal
        left = self.worlds.episode_steps - self.worlds.t % self.worlds.episode_steps
        go_home = left <= np.ceil(np.abs(goal - obs).max(-1) / SPEED)
        to_and_fro = np.where(pays(obs, goal), -1, 1)[:, None] * np.sign(goal)
        return np.where(go_home[:, None], super().act(obs, episode_start), to_and_fro)


class OneCorner(Blind):
    """Walk to the same corner whatever the goal: a straight walk in one task of four."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return toward(obs, CORNERS[0], SPEED)


class Visit(Blind):
    """Look into one quarter after the other until something pays; walk to that corner ever after."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        count = len(worlds.obs())
        self._next, self._found = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
        self._corner = np.zeros((count, 2))

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return toward(obs, np.where(self._found[:, None], self._corner, _LOOKOUT[self._next]), SPEED)

    def learn(self, step: TrialStep) -> None:
        new = (step.reward != 0) & ~self._found
        self._corner[new] = 2 * np.sign(step.final_obs[new])
        self._found |= new
        looked = np.abs(step.final_obs - _LOOKOUT[self._next]).max(-1) < 1e-3
        self._next = (self._next + (looked & ~self._found)) % len(CORNERS)


def references(settings: CornerSettings, tasks: int = 20_000, seed: int = 0) -> dict[str, Known]:
    """Return the loop that pays best, the straight walk, finding the corner first, and what ignorance reaches."""
    worlds = CornerTrials(settings, tasks, seed=seed, stream="references")
    players: dict[str, Blind] = {"oracle": Loop(), "straight": Straight(), "visit": Visit()}
    players |= {"goal_blind": OneCorner(), "random": Random(seed)}
    return {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
