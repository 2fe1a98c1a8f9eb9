"""Goals in space: where they are drawn, and what coming close to one earns.

The same reward is worked out twice, for one distance on the simulation's plain floats and for arrays of goals when past
episodes are relabelled; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, sin, sqrt

import numpy as np
from pydantic import Field

from domain_rand.schema import Schema
from robots.rewards import tolerance

Range = tuple[float, float]


class Sector(Schema):
    """Part of a ring around the robot's vertical axis through the world's origin: lengths in m, `azimuth` in rad.

    `azimuth` 0 is straight ahead (+x), positive to the left; `height` is above the plane z = 0.
    """

    radius: Range
    azimuth: Range
    height: Range = (0.0, 0.0)

    def draw(self, rng: np.random.Generator) -> list[float]:
        """Return a point [m, world], uniform over the volume (with equal heights: over the area)."""
        (near, far), u = self.radius, rng.random(3).tolist()
        radius = sqrt(near * near + u[0] * (far * far - near * near))
        azimuth = self.azimuth[0] + u[1] * (self.azimuth[1] - self.azimuth[0])
        height = self.height[0] + u[2] * (self.height[1] - self.height[0])
        return [radius * cos(azimuth), radius * sin(azimuth), height]


class GoalReward(Schema):
    """What a distance to the goal [m] earns: 1 within `success_distance`, less outside; or, `sparse`, 0 and −1."""

    success_distance: float = Field(default=0.05, gt=0)
    margin: float = Field(default=0.4, gt=0, description="distance beyond success that earns a tenth [m]")
    sparse: bool = False

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


def distance_between(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the distance of two points, plane or spatial, in their unit."""
    return hypot(*[x - y for x, y in zip(a, b, strict=True)])
