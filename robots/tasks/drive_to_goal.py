"""Drive to a place on the floor and stay there: the reward rises with nearness, and is full within a radius.

Commanded, the place is a signal: where the goal is as seen from the base, drawn for every episode around its start.
Hidden, it belongs to the world: it is `goal_x` and `goal_y` of the world's parameters, drawn by the task's
`randomization`, the same in all episodes of a trial, and only the reward tells.
"""

from __future__ import annotations

from math import cos, hypot, pi, sin

import numpy as np
from pydantic import Field

from robots.locomotion import Locomotion, Vec2
from robots.rewards import tolerance
from robots.task import Signals, Start
from robots.view import RobotView


class DriveToGoal(Locomotion):
    """Settings of the task; lengths in m, the world's origin is where the body starts."""

    episode_time: float = Field(default=12.0, gt=0)
    hidden: bool = False
    distance: tuple[float, float] = Field(default=(1.0, 4.0), description="how far away a commanded goal is")
    success_radius: float = Field(default=0.3, gt=0, description="of the place that counts as reached")
    margin: float = Field(default=4.0, gt=0, description="distance beyond it that earns a tenth")

    def signals(self, joints: int) -> dict[str, int]:
        """Where the goal is, forward and leftward of the base, unless it is hidden."""
        return {} if self.hidden else {"goal_pos_heading": 2}

    def begin(self, rng: np.random.Generator, robot: RobotView) -> DriveToGoalEpisode:
        """Draw how the body starts, and its goal where it is commanded."""
        start = self.draw_start(rng, robot)
        goal = (robot.goal.x, robot.goal.y) if self.hidden else self._draw_goal(rng)
        return DriveToGoalEpisode(self, goal, start, self.horizon(robot.control_dt))

    def _draw_goal(self, rng: np.random.Generator) -> Vec2:
        distance, bearing = rng.uniform(*self.distance), rng.uniform(-pi, pi)
        return distance * cos(bearing), distance * sin(bearing)


class DriveToGoalEpisode:
    """One drawn episode."""

    def __init__(self, task: DriveToGoal, goal_world: Vec2, start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self.goal_world = goal_world
        self._task = task

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return where the goal is, as the body sees it."""
        return {} if self._task.hidden else {"goal_pos_heading": self._task.in_frame(robot, self._way(robot))}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the nearness to the goal, in [0, 1], averaged with upkeep."""
        near = tolerance(self._distance(robot), 0.0, self._task.success_radius, self._task.margin)
        return self._task.with_upkeep(near, robot)

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the body has fallen over."""
        return self._task.fallen(robot)

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether the body is at its goal."""
        return self._distance(robot) <= self._task.success_radius and not self._task.fallen(robot)

    def _way(self, robot: RobotView) -> Vec2:
        pos = robot.base_pos_world
        return self.goal_world[0] - pos[0], self.goal_world[1] - pos[1]

    def _distance(self, robot: RobotView) -> float:
        return hypot(*self._way(robot))


TASK = DriveToGoal
