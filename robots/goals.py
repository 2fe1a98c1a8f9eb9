"""What a task may ask for: where goals in space are drawn, what coming close to one earns, how tasks declare it.

The same reward is worked out twice, for one distance on the simulation's plain floats and for arrays of goals when past
episodes are relabelled; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, hypot, sin, sqrt

import numpy as np
from pydantic import Field

from domain_rand.schema import ConfigError, Schema
from robots.contract import Contract
from robots.rewards import tolerance

Range = tuple[float, float]
Judgement = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From what was achieved `[..., G]` and what was desired `[..., G]` to one number or flag each, `[...]`."""


def never(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
    """Return that no goal ends an episode."""
    return np.zeros(np.broadcast_shapes(achieved.shape, desired.shape)[:-1], bool)


@dataclass(frozen=True)
class Goal:
    """What a task asks for, so that experience can be judged as if something else had been asked for.

    `signal` names the command signal that shows it. `reward` is all that a step pays, judged by what it achieved;
    `ends` tells where achieving it ends the episode for good.
    """

    signal: str
    reward: Judgement
    ends: Judgement = never


class Sector(Schema):
    """Part of a ring around the robot's vertical axis through the world's origin: lengths in m, `azimuth` in rad.

    `azimuth` 0 is straight ahead (+x), positive to the left; `height` is above the plane z = 0.
    """

    radius: Range
    azimuth: Range
    height: Range = (0.0, 0.0)

    def draw(self, rng: np.random.Generator, azimuth: float | None = None) -> list[float]:
        """Return a point [m, world], uniform over the volume (with equal heights: over the area), or at an azimuth."""
        (near, far), u = self.radius, rng.random(3).tolist()
        radius = sqrt(near * near + u[0] * (far * far - near * near))
        if azimuth is None:
            azimuth = self.azimuth[0] + u[1] * (self.azimuth[1] - self.azimuth[0])
        height = self.height[0] + u[2] * (self.height[1] - self.height[0])
        return [radius * cos(azimuth), radius * sin(azimuth), height]


class GoalReward(Schema):
    """What a distance to the goal [m] earns: 1 within `success_distance`, less outside; or, `sparse`, 0 and −1."""

    success_distance: float = Field(default=0.05, gt=0)
    margin: float = Field(default=0.4, gt=0, description="distance beyond success that earns a tenth [m]")
    sparse: bool = False
    ends_episode: bool = Field(default=False, description="whether success ends an episode, or the goal is to be held")

    def of(self, distance: float) -> float:
        """Return the reward at one distance."""
        if self.sparse:
            return 0.0 if self.reached(distance) else -1.0
        return tolerance(distance, 0.0, self.success_distance, self.margin)

    def between(self, achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
        """Return the reward `[...]` of positions `[..., axes]` when positions `[..., axes]` were desired [m]."""
        distance = np.linalg.norm(np.asarray(achieved) - np.asarray(desired), axis=-1)
        if self.sparse:
            return np.where(distance <= self.success_distance, 0.0, -1.0)
        return 0.1 ** (np.maximum(distance - self.success_distance, 0.0) / self.margin) ** 2

    def reached(self, distance: float) -> bool:
        """Whether the distance counts as success."""
        return distance <= self.success_distance

    def over(self, distance: float) -> bool:
        """Whether the distance ends an episode."""
        return self.ends_episode and self.reached(distance)

    def over_between(self, achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
        """Return where positions `[..., axes]` end an episode when positions `[..., axes]` were desired [m]."""
        distance = np.linalg.norm(np.asarray(achieved) - np.asarray(desired), axis=-1)
        return np.asarray(self.ends_episode & (distance <= self.success_distance))

    def goal(self, signal: str) -> Goal:
        """Return the goal that is a position, shown by a command signal."""
        return Goal(signal, self.between, self.over_between)


def distance_between(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the distance of two points, plane or spatial, in their unit."""
    return hypot(*[x - y for x, y in zip(a, b, strict=True)])


def place_of(signal: str, contract: Contract) -> slice:
    """Return where observations hold a goal; raises `ConfigError` unless one perfect signal shows it."""
    shown = [s for s in contract.signals if s.measures == signal]
    if len(shown) != 1:
        raise ConfigError(f"{contract.robot}: {len(shown)} signals show {signal}, the goal of the task; valid: one")
    (found,) = shown
    if any((found.noise, found.bias, found.delay, found.quantum, found.dropout, found.period)):
        raise ConfigError(f"{contract.robot}: {found.name} is a goal, which is told as it is; valid: no imperfections")
    return contract.signal_slices[found.name]
