"""A point that is told where to go, and is paid nothing on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain_rand.randomizer import keyed_rng
from robots.goals import GoalReward
from robots.trial import TrialStep
from tests.sdk.toy_worlds import ToyTrials


class GoalPoint(ToyTrials):
    """From the origin to a goal 0.7 to 1 away, in steps of up to 0.1 each way: 0 within 0.1 of it, −1 elsewhere.

    What is seen is (x, goal x, goal y, y). Two episodes of twenty steps; success counts where they end.
    """

    obs_size, action_size = 4, 2
    rest_action = np.zeros(2, dtype=np.float32)
    episode_steps, trial_steps = 20, 40
    goal = GoalReward(success_distance=0.1, sparse=True).goal("pos_goal")
    shown = slice(1, 3)

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        u = np.stack([keyed_rng(0, "goal_point", i, "goals").random((3, 2)) for i in indices], 1)
        radius, angle = 0.7 + 0.3 * u[..., 0], 2 * np.pi * u[..., 1]
        self.goals = radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        return super().begin(indices)

    def step(self, action: np.ndarray) -> TrialStep:
        result = super().step(action)
        return result._replace(success=result.reward == 0, achieved=self.reached.astype(np.float32))

    def sent(self, action: np.ndarray) -> np.ndarray:
        self.move = super().sent(action)
        return self.move

    def reward(self, sent: np.ndarray) -> np.ndarray:
        self.pos = self.reached = self.pos + 0.1 * self.move
        return self.goal.reward(self.reached, self.aim)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        cut = np.full(len(self.indices), self.t % self.episode_steps == 0)
        return np.zeros_like(cut), cut

    def obs(self) -> np.ndarray:
        if self.t % self.episode_steps == 0:
            self.pos, self.aim = np.zeros((len(self.indices), 2)), self.goals[self.t // self.episode_steps]
        return self.final_obs()

    def final_obs(self) -> np.ndarray:
        return np.insert(self.pos, [1], self.aim, axis=1).astype(np.float32)

    def context(self) -> np.ndarray:
        return np.zeros(len(self.indices))
