"""Navigation in the plane (Finn et al. 2017, section 5.3): the goal is hidden, every step tells how far it is.

    goal ~ U[−0.5, 0.5]² for a trial;  s' = s + a, |a| ≤ 0.1 in each dimension;  pays −‖s' − goal‖

Protocol: episodes of at most 100 steps from (0, 0), the position observed; an episode ends within 0.01 of the goal in
both dimensions. The figure is the return of an episode, before and after each adaptation.

With `reversible`, tasks are of two kinds (after Vuorio et al. 2019, whose tasks have modes): in half of them the
controls are reversed, s' = s − a. What brings a policy to its goal in one kind drives it away in the other.

The end is an absorbing state here: whoever has arrived stays where they are and is paid 0 up to step 100, so that all
episodes have the same length. Every return is the one of the episode that ended on arrival, discounted or not.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

FURTHEST, NEAR = 0.5, 0.01
"""Largest coordinate of a goal, and how close to it counts as arrived, in each dimension."""

SPEED = 0.1


class NavigationSettings(ToySettings):
    """How many episodes a trial has, what controls do, and where goals are."""

    episodes: int = Field(default=1, ge=1)
    reversible: bool = Field(default=False, description="controls are reversed in half of the tasks")
    beyond: bool = Field(default=False, description="instead of the square: around it, out to twice as far")


class NavigationTrials(ToyTrials):
    """N planes side by side; success is having arrived."""

    obs_size = action_size = context_size = 2
    episode_steps = 100

    def __init__(self, settings: NavigationSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.episodes, self._reversible, self._beyond = settings.episodes, settings.reversible, settings.beyond
        self.context_size = 2 + self._reversible
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        side = 2 * keys.uniform("goal", 2) - 1
        if self._beyond:
            furthest = np.abs(side).max(-1, keepdims=True)
            side = side / furthest * np.sqrt(1 + 3 * furthest**2)
        self.goal, self.sense = FURTHEST * side, np.ones((len(side), 1))
        if not self._reversible:
            return side
        self.sense = np.where(keys.uniform("sense", 1) < 0.5, -1.0, 1.0)
        return np.concatenate([side, self.sense], -1)

    def start(self, episode: np.ndarray) -> None:
        self.pos = np.zeros_like(self.goal)
        self.arrived = np.zeros(len(self.goal), dtype=bool)

    def obs(self) -> np.ndarray:
        return self.pos.copy()

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        walks = ~self.arrived
        self.pos = self.pos + SPEED * self.sense * sent * walks[:, None]
        self.arrived = self.arrived | (np.abs(self.pos - self.goal) < NEAR).all(-1)
        distance = np.linalg.norm(self.pos - self.goal, axis=-1)
        return np.where(walks, -distance, 0.0), self.arrived


TOY = Toy("navigation", "Finn et al. 2017", "walk to a goal told by its distance", NavigationSettings, NavigationTrials)
