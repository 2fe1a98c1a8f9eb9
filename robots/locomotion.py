"""What tasks of bodies that move through the world have in common: how they start, what a fall is, what standing earns.

The *heading frame* is the base's frame without its tilt: x points forward along the floor, y to the left, z up.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Literal

import numpy as np
from pydantic import Field

from robots.rewards import effort
from robots.rotation import from_yaw, yaw_of
from robots.task import FallCost, Start, Task
from robots.view import RobotView

Vec2 = tuple[float, float]
Frame = Literal["heading", "world"]
"""Where "forward" is: along the base's heading, or the world's x axis, for bodies that are held in its plane."""


class Locomotion(Task):
    """Settings of every such task: how the body starts and when it has fallen.

    Without `fall_height` and `fall_tilt` it never falls. A body that may fall should earn something by standing, or
    falling early is its best way out of a reward below zero.
    """

    frame: Frame = "heading"
    fall_height: float | None = Field(default=None, description="height of the base that counts as a fall [m]")
    fall_tilt: float | None = Field(default=None, ge=-1, le=1, description="cosine of the tilt that counts as a fall")
    fall_cost: FallCost = 25.0
    alive_weight: float = Field(default=0.0, ge=0, description="of standing, where the task's own term weighs 1")
    ease_weight: float = Field(default=0.05, ge=0, description="of not exerting the joints")
    start_std: float = Field(default=0.02, ge=0, description="spread of joint positions at reset [rad]")
    start_turned: bool = Field(default=False, description="whether the body starts with any heading")

    def draw_start(self, rng: np.random.Generator, robot: RobotView) -> Start:
        """Draw joint positions around the default pose, and the heading."""
        offset = rng.normal(0.0, self.start_std, size=robot.joint_count).tolist()
        heading = rng.uniform(-pi, pi) if self.start_turned else 0.0
        return Start(offset, base_turn=from_yaw(heading))

    def with_upkeep(self, term: float, robot: RobotView) -> float:
        """Return the weighted mean of the task's own term, in [−1, 1], of standing and of ease, in [0, 1]."""
        ease = 1.0 - effort(robot.last_action) / robot.joint_count
        alive = self.alive_weight if self.alive_weight and not self.fallen(robot) else 0.0
        total = term + alive + self.ease_weight * ease
        return total / (1.0 + self.alive_weight + self.ease_weight)

    def fallen(self, robot: RobotView) -> bool:
        """Whether the body lies."""
        if self.fall_height is not None and robot.base_height[0] < self.fall_height:
            return True
        return self.fall_tilt is not None and -robot.projected_gravity[2] < self.fall_tilt

    def forward_vel(self, robot: RobotView) -> float:
        """Return the base's velocity forward along the floor [m/s]."""
        return self.in_frame(robot, robot.base_lin_vel_world)[0]

    def in_frame(self, robot: RobotView, vector_world: tuple[float, ...]) -> Vec2:
        """Return a vector's horizontal part in the task's frame."""
        x, y = vector_world[0], vector_world[1]
        if self.frame == "world":
            return x, y
        yaw = yaw_of(robot.base_quat_xyzw)
        c, s = cos(yaw), sin(yaw)
        return c * x + s * y, c * y - s * x
