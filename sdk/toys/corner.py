"""Corner world (Stadie et al. 2018; Rothfuss et al. 2019): only who has looked into every corner knows where to go.

    goal ∈ (±2, ±2) for a trial, start U[−0.2, 0.2]²;  s' = s + a, |a| ≤ 0.2 in each dimension
    pays ‖s − goal‖ − ‖s' − goal‖ where s' is nearer to the goal than to another corner and |s'|₁ > 0.5, else 0

Protocol: episodes of 100 steps that nothing ends, the position observed. The figure is the return of an episode,
before and after each adaptation; to walk straight to the goal is what the papers mean by solving it.

As published, the reward counts the way in and not the way out: stepping out of the goal's quarter is free and stepping
back in is paid again. Going to and fro pays several times what walking to the goal does (`references/corner.py`), so a
return above that of the straight walk is a loop, not a better path.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

CORNERS = np.array([[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]])
SPEED, FURTHEST_START, UNPAID = 0.2, 0.2, 0.5


class CornerSettings(ToySettings):
    """How many episodes a trial has."""

    episodes: int = Field(default=1, ge=1)


class CornerTrials(ToyTrials):
    """N corner worlds side by side; success is being within 0.2 of the goal."""

    obs_size = action_size = context_size = 2
    episode_steps = 100

    def __init__(self, settings: CornerSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.episodes = settings.episodes
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        self.goal = CORNERS[(keys.uniform("goal", 1)[:, 0] * len(CORNERS)).astype(np.int64)]
        return self.goal / 2

    def start(self, episode: np.ndarray) -> None:
        self.pos = FURTHEST_START * (2 * self.luck.uniform("start", 2, 2 * episode) - 1)

    def obs(self) -> np.ndarray:
        return self.pos.copy()

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = np.linalg.norm(self.pos - self.goal, axis=-1)
        self.pos = self.pos + SPEED * sent
        after = np.linalg.norm(self.pos - self.goal, axis=-1)
        return np.where(pays(self.pos, self.goal), before - after, 0.0), after <= SPEED


def pays(pos: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return where `pos` `[N, 2]` is in its goal's quarter of the plane, and far enough out."""
    return (pos * goal >= 0).all(-1) & (np.abs(pos).sum(-1) > UNPAID)


TOY = Toy("corner", "Stadie et al. 2018", "find which of four corners pays", CornerSettings, CornerTrials)
