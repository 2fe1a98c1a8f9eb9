"""Bernoulli bandits (Duan et al. 2016, section 3.1; Mishra et al. 2018): the smallest exploration problem.

    p_i ~ U[0, 1] for each of k arms;  a trial is one episode of n pulls;  a pull of arm i pays 1 with probability p_i

Protocol: nothing is observed but the last arm, its reward and the episode's start; the figure is the mean total reward
of a trial. All policies meet the same luck: the coin of pull t is the same number whichever arm it is held against.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials


class BanditSettings(ToySettings):
    """How many arms there are and how often one may be pulled."""

    pulls: int = Field(default=10, ge=1)
    arms: int = Field(default=5, ge=2)
    pull_by_pull: bool = Field(default=False, description="each pull is an episode: one may adapt after each")


class BanditTrials(ToyTrials):
    """N bandits side by side; success is a pull of the best arm."""

    obs_size = 1
    discrete = True

    def __init__(self, settings: BanditSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.action_size = self.context_size = settings.arms
        self.episodes, self.episode_steps = (settings.pulls, 1) if settings.pull_by_pull else (1, settings.pulls)
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        self.chance = keys.uniform("arms", self.action_size)
        self._coin = self.luck.uniform("pulls", self.trial_steps)
        return 2 * self.chance - 1

    def start(self, episode: np.ndarray) -> None:
        """Nothing moves."""

    def obs(self) -> np.ndarray:
        return np.zeros((len(self.chance), 1))

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chance = (self.chance * sent).sum(-1)
        return self._coin[np.arange(len(sent)), self.now] < chance, chance >= self.chance.max(-1).astype(np.float32)


TOY = Toy("bandit", "Duan et al. 2016", "k Bernoulli arms, n pulls", BanditSettings, BanditTrials)
