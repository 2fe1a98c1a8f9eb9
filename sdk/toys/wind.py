"""Wind (Dorfman et al. 2021): hidden dynamics that one transition gives away.

    w ~ U[−0.08, 0.08]² for a trial;  s' = s + a + w, |a| ≤ 0.1 in each dimension;  pays 1 within 0.03 of (0, 1)

Protocol: one episode of 75 steps from (0, 0), the position observed and no reward reported: what there is to learn
shows in the motion. The closest of these families to a robot whose physics is not known.

A blind policy meets the goal in one trial of 150. `shaping` adds potential-based rewards (Ng et al. 1999) to the
training stream: they sum to the same number in every trial, whatever is done, so that the best policy stays the best.
Held-out worlds never pay them. To a learner that bootstraps where a trial is cut off there is no last step, and what it
pays back is noise: `pays_back` leaves that out.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

GOAL, RADIUS = np.array([0.0, 1.0]), 0.03
SPEED, STRONGEST = 0.1, 0.08


class WindSettings(ToySettings):
    """What training may be told beside the sparse reward."""

    shaping: float = Field(default=0.0, ge=0, description="reward per unit of distance to the goal, in training only")
    pays_back: bool = Field(default=True, description="whether the last step pays as if it reached the goal")


class WindTrials(ToyTrials):
    """N winds side by side; success is being within the goal's radius."""

    obs_size = action_size = context_size = 2
    episodes, episode_steps = 1, 75
    reads_reward = False

    def __init__(self, settings: WindSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self._shaping = settings.shaping if stream == "train" else 0.0
        self._pays_back = settings.pays_back
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        side = 2 * keys.uniform("wind", 2) - 1
        self.wind = STRONGEST * side
        return side

    def start(self, episode: np.ndarray) -> None:
        self.pos = np.zeros_like(self.wind)

    def obs(self) -> np.ndarray:
        return self.pos.copy()

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = self._distance()
        self.pos = self.pos + SPEED * sent + self.wind
        after = self._distance()
        inside = after <= RADIUS
        gone = self._pays_back and self.t == self.trial_steps - 1
        return inside + self._shaping * (before - (0.0 if gone else after)), inside

    def _distance(self) -> np.ndarray:
        distance: np.ndarray = np.linalg.norm(self.pos - GOAL, axis=-1)
        return distance


TOY = Toy("wind", "Dorfman et al. 2021", "reach a known goal in an unknown wind", WindSettings, WindTrials)
