"""Move forward at a given velocity, negative is backward: the reward falls linearly with the error.

Commanded, the velocity is a signal, drawn for every episode from `velocity_range`. Hidden, it belongs to the world: it
is `goal_velocity` of the world's parameters, drawn by the task's `randomization`, the same in all episodes of a trial,
and only the reward tells. What is learned depends on the range, so a robot's task carries it in its name:
`target_velocity_0_2` is U[0, 2] m/s.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from robots.locomotion import Locomotion
from robots.rewards import nearness
from robots.task import Signals, Start
from robots.view import RobotView


class TargetVelocity(Locomotion):
    """Settings of the task; velocities in m/s."""

    episode_time: float = Field(default=5.0, gt=0)
    hidden: bool = False
    velocity_range: tuple[float, float] = (0.0, 2.0)
    reach: float = Field(default=2.0, gt=0, description="error that earns nothing")
    success_error: float = Field(default=0.2, gt=0, description="error that counts as following")

    def signals(self, joints: int) -> dict[str, int]:
        """How fast, unless it is hidden."""
        return {} if self.hidden else {"velocity_command": 1}

    def begin(self, rng: np.random.Generator, robot: RobotView) -> TargetVelocityEpisode:
        """Draw how the body starts, and its velocity where it is commanded."""
        start = self.draw_start(rng, robot)
        velocity = robot.goal.velocity if self.hidden else rng.uniform(*self.velocity_range)
        return TargetVelocityEpisode(self, velocity, start, self.horizon(robot.control_dt))


class TargetVelocityEpisode:
    """One drawn episode."""

    def __init__(self, task: TargetVelocity, velocity: float, start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self._task = task
        self._velocity = velocity

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return the velocity."""
        return {} if self._task.hidden else {"velocity_command": (self._velocity,)}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the nearness to the velocity, in [0, 1], averaged with upkeep."""
        return self._task.with_upkeep(nearness(self._error(robot), self._task.reach), robot)

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the body has fallen."""
        return self._task.fallen(robot)

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether it moves as fast as it should."""
        return abs(self._error(robot)) <= self._task.success_error and not self._task.fallen(robot)

    def _error(self, robot: RobotView) -> float:
        return self._task.forward_vel(robot) - self._velocity


TASK = TargetVelocity
