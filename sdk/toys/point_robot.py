"""The point robot (Rakelly et al. 2019) in four named variants: the goal is hidden, only the reward tells.

    s' = s + a, |a| ≤ 0.1 in each dimension, the goal fixed for a trial

| variant | goal, at distance d           | start                       | reward            | steps, episodes |
|---------|-------------------------------|-----------------------------|-------------------|-----------------|
| dense   | U[−1, 1]²                     | U[−1, 1]²                   | −d                | 20, 1           |
| varibad | upper half of the unit circle | (0, 0)                      | 1 − d, if d ≤ 0.2 | 100, 3          |
| oyster  | upper half of the unit circle | (0, 0)                      | 1 − d, if d ≤ 0.2 | 20, 5           |
| pomdp   | upper half of the unit circle | U[−1.5, 1.5] × U[−0.5, 1.5] | 1, if d ≤ 0.2     | 60, 2           |

Protocol: rewards follow the move; the position is observed; the figure is the mean return by episode. `varibad` is
the task of Zintgraf et al. (2021), `pomdp` that of Dorfman et al. (2021) and Ni et al. (2022). Deviation: `oyster`
pays the sparse reward throughout, where the paper's learner is paid the dense one while training: `dense_training`
does that, in any variant (as Gupta et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

SPEED, RADIUS = 0.1, 0.2


@dataclass(frozen=True)
class Variant:
    """What distinguishes one published point robot from another."""

    steps: int
    episodes: int
    sparse: bool
    start: tuple[tuple[float, float], tuple[float, float]] | None
    """The box of starting points, low corner and high corner; none: the origin."""

    reward: Callable[[np.ndarray], np.ndarray]
    """From distance to the goal after the move to reward."""


def _inside(distance: np.ndarray, pays: np.ndarray | float) -> np.ndarray:
    return np.where(distance <= RADIUS, pays, 0.0)


VARIANTS = {
    "dense": Variant(20, 1, False, ((-1.0, -1.0), (1.0, 1.0)), lambda d: -d),
    "varibad": Variant(100, 3, True, None, lambda d: _inside(d, 1 - d)),
    "oyster": Variant(20, 5, True, None, lambda d: _inside(d, 1 - d)),
    "pomdp": Variant(60, 2, True, ((-1.5, -0.5), (1.5, 1.5)), lambda d: _inside(d, 1.0)),
}


class PointSettings(ToySettings):
    """Which of the published variants is meant; there is no default reading of "sparse point robot"."""

    variant: Literal["dense", "varibad", "oyster", "pomdp"] = "dense"
    episodes: int | None = Field(default=None, ge=1, description="episodes of a trial; none: the variant's")
    dense_training: bool = Field(default=False, description="pay −d in training only, and tell the variant's reward")


class PointTrials(ToyTrials):
    """N point robots side by side; success is being within 0.2 of the goal."""

    obs_size = action_size = context_size = 2

    def __init__(self, settings: PointSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.variant = VARIANTS[settings.variant]
        self.episodes, self.episode_steps = settings.episodes or self.variant.episodes, self.variant.steps
        self._dense = settings.dense_training and stream == "train"
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        u = keys.uniform("goal", 2)
        self.goal = on_arc(np.pi * u[:, 0]) if self.variant.sparse else 2 * u - 1
        return self.goal

    def start(self, episode: np.ndarray) -> None:
        if self.variant.start is None:
            self.pos = np.zeros_like(self.goal)
            return
        low, high = np.array(self.variant.start)
        self.pos = low + (high - low) * self.luck.uniform("start", 2, 2 * episode)

    def obs(self) -> np.ndarray:
        return self.pos.copy()

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.pos = self.pos + SPEED * sent
        distance = np.linalg.norm(self.pos - self.goal, axis=-1)
        reward = self.variant.reward(distance)
        self.told_reward = reward if self._dense else None
        return -distance if self._dense else reward, distance <= RADIUS


def on_arc(angle: np.ndarray) -> np.ndarray:
    """Return points `[…, 2]` on the unit circle; 0 is (1, 0), π/2 is (0, 1)."""
    return np.stack([np.cos(angle), np.sin(angle)], -1)


TOY = Toy("point_robot", "Rakelly et al. 2019", "find a hidden goal in the plane", PointSettings, PointTrials)
