"""Wind (Dorfman et al. 2021): hidden dynamics that one transition gives away.

    w ~ U[−0.08, 0.08]² for a trial;  s' = s + a + w, |a| ≤ 0.1 in each dimension;  pays 1 within 0.03 of (0, 1)

Protocol: one episode of 75 steps from (0, 0), the position observed and no reward reported: what there is to learn
shows in the motion. The closest of these families to a robot whose physics is not known.
"""

from __future__ import annotations

import numpy as np

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

GOAL, RADIUS = np.array([0.0, 1.0]), 0.03
SPEED, STRONGEST = 0.1, 0.08


class WindTrials(ToyTrials):
    """N winds side by side; success is being within the goal's radius."""

    obs_size = action_size = context_size = 2
    episodes, episode_steps = 1, 75
    reads_reward = False

    def draw(self, keys: TaskKeys) -> np.ndarray:
        side = 2 * keys.uniform("wind", 2) - 1
        self.wind = STRONGEST * side
        return side

    def start(self, episode: int) -> None:
        self.pos = np.zeros_like(self.wind)

    def obs(self) -> np.ndarray:
        return self.pos.copy()

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.pos = self.pos + SPEED * sent + self.wind
        inside = np.linalg.norm(self.pos - GOAL, axis=-1) <= RADIUS
        return inside, inside


TOY = Toy("wind", "Dorfman et al. 2021", "reach a known goal in an unknown wind", ToySettings, WindTrials)
