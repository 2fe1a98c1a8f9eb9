"""Run in a direction: the reward is velocity along it.

Commanded, the direction is a signal, drawn for every episode. Hidden, it belongs to the world: it is `goal_heading` of
the world's parameters, drawn by the task's `randomization`, the same in all episodes of a trial, and only the reward
tells. An oracle, which sees the world's parameters, sees it. Not randomised at all, it is straight ahead. With
`either_way`, running against it is as good: velocity counts away from the origin, where bodies start, so that rocking
to and fro pays nothing.
"""

from __future__ import annotations

from math import copysign, cos, pi, sin

import numpy as np
from pydantic import Field

from robots.locomotion import Locomotion, Vec2
from robots.rewards import progress
from robots.rotation import Vec3
from robots.task import Signals, Start
from robots.view import RobotView


class RunDirection(Locomotion):
    """Settings of the task; velocities in m/s, angles in rad in the world frame."""

    episode_time: float = Field(default=5.0, gt=0)
    hidden: bool = False
    either_way: bool = False
    headings: tuple[float, ...] = Field(default=(), description="what may be commanded; none: any direction")
    full_speed: float = Field(default=2.0, gt=0, description="speed that earns 1")
    success_speed: float = Field(default=0.5, gt=0, description="speed along the direction that counts as running")

    def signals(self, joints: int) -> dict[str, int]:
        """Where to: a unit vector in the task's frame, unless it is hidden."""
        return {} if self.hidden else {"direction_command": 2}

    def begin(self, rng: np.random.Generator, robot: RobotView) -> RunDirectionEpisode:
        """Draw how the body starts, and its direction where it is commanded."""
        start = self.draw_start(rng, robot)
        heading = robot.goal.heading if self.hidden else self._draw_heading(rng)
        return RunDirectionEpisode(self, (cos(heading), sin(heading)), start, self.horizon(robot.control_dt))

    def _draw_heading(self, rng: np.random.Generator) -> float:
        return float(rng.choice(self.headings) if self.headings else rng.uniform(-pi, pi))


class RunDirectionEpisode:
    """One drawn episode."""

    def __init__(self, task: RunDirection, direction_world: Vec2, start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self._task = task
        self._direction = direction_world

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return the direction as the body sees it."""
        return {} if self._task.hidden else {"direction_command": self._task.in_frame(robot, self._direction)}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the progress made, in [−1, 1], averaged with upkeep."""
        return self._task.with_upkeep(progress(self._speed(robot), self._task.full_speed), robot)

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the body has fallen."""
        return self._task.fallen(robot)

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether it runs where it should."""
        return self._speed(robot) >= self._task.success_speed and not self._task.fallen(robot)

    def _speed(self, robot: RobotView) -> float:
        speed = self._along(robot.base_lin_vel_world)
        return speed * copysign(1.0, self._along(robot.base_pos_world)) if self._task.either_way else speed

    def _along(self, vector_world: Vec3) -> float:
        return vector_world[0] * self._direction[0] + vector_world[1] * self._direction[1]


TASK = RunDirection
