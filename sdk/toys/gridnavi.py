"""GridNavi (Zintgraf et al. 2020, section 4.1): find a hidden goal in a 5 × 5 grid, then go there straight.

    goal uniform over the 21 cells that are not (0, 0) or next to it;  a step pays 1 on the goal, −0.1 elsewhere

Protocol: actions stay, up, right, down, left; four episodes of 15 steps, each from (0, 0), the goal fixed in between;
reaching it ends nothing. The position is observed; the figure is the mean return of each episode and of the trial.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

WIDTH, STEPS = 5, 15
MOVES = np.array([[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]])
GOALS = np.array([(x, y) for x in range(WIDTH) for y in range(WIDTH) if max(x, y) > 1])
ON_GOAL, ELSEWHERE = 1.0, -0.1


class GridSettings(ToySettings):
    """How many episodes a trial has."""

    episodes: int = Field(default=4, ge=1)


class GridTrials(ToyTrials):
    """N grids side by side; success is being on the goal."""

    obs_size = 2
    action_size = len(MOVES)
    context_size = 2
    episode_steps = STEPS
    discrete = True

    def __init__(self, settings: GridSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.episodes = settings.episodes
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        self.goal = GOALS[(keys.uniform("goal", 1)[:, 0] * len(GOALS)).astype(np.int64)]
        return self.goal / 2 - 1

    def start(self, episode: np.ndarray) -> None:
        self.cell = np.zeros_like(self.goal)

    def obs(self) -> np.ndarray:
        return self.cell / 2 - 1

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.cell = moved(self.cell, sent.argmax(-1))
        found = (self.cell == self.goal).all(-1)
        return np.where(found, ON_GOAL, ELSEWHERE), found


def moved(cell: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Return the cells `[…, 2]` behind moves `[…]` from `cell`; walls hold."""
    return np.clip(cell + MOVES[action], 0, WIDTH - 1)


TOY = Toy("gridnavi", "Zintgraf et al. 2020", "find a hidden goal in a 5 × 5 grid", GridSettings, GridTrials)
