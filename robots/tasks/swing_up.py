"""Swing a free pole up and hold it there, the cart in the middle; started upright, the same task is balancing.

Upright is angle 0 of the passive joint `pole`. Every reward term lies in [0, 1] and they are multiplied, so that none
can be traded for another.
"""

from __future__ import annotations

from math import cos, pi

import numpy as np
from pydantic import Field

from robots.rewards import tolerance, upright
from robots.task import Signals, Start, Task
from robots.view import RobotView


class SwingUp(Task):
    """Settings of the task; the cart is the first actuated joint, lengths in m, angles in rad."""

    episode_time: float = Field(default=8.0, gt=0)
    pole: str = "pole"
    start_angle: float = Field(default=pi, description="where the pole starts; π hangs")
    start_std: float = Field(default=0.1, ge=0, description="spread of all positions and velocities at reset")
    fall_angle: float | None = Field(default=None, gt=0, description="angle at which the episode is lost; none: never")
    centre_margin: float = Field(default=1.5, gt=0, description="distance from the middle that earns a tenth [m]")
    calm_vel: float = Field(default=8.0, gt=0, description="pole velocity that earns a tenth [rad/s]")
    effort_share: float = Field(default=0.1, ge=0, le=1, description="share of the reward that full effort costs")
    success_angle: float = Field(default=0.2, gt=0)

    def begin(self, rng: np.random.Generator, robot: RobotView) -> SwingUpEpisode:
        """Draw where cart and pole start."""
        pos, vel = rng.normal(0.0, self.start_std, size=(2, 2)).tolist()
        start = Start(joint_offset=[pos[0], pos[1] + self.start_angle], joint_vel=vel)
        return SwingUpEpisode(self, start, self.horizon(robot.control_dt))


class SwingUpEpisode:
    """One drawn episode."""

    def __init__(self, task: SwingUp, start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self._task = task

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Nothing is commanded: up is up."""
        return {}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return upright × centred × calm × effortless."""
        task = self._task
        up = upright(cos(robot.joint_pos_of(task.pole)))
        centred = tolerance(robot.joint_pos[0], 0.0, 0.0, task.centre_margin)
        calm = tolerance(robot.joint_vel_of(task.pole), 0.0, 0.0, task.calm_vel)
        action = robot.last_action[0]
        return up * (1.0 + centred) / 2.0 * (1.0 + calm) / 2.0 * (1.0 - task.effort_share * action * action)

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether a pole that was to be balanced has fallen."""
        fall = self._task.fall_angle
        return fall is not None and abs(robot.joint_pos_of(self._task.pole)) > fall

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether the pole stands."""
        return cos(robot.joint_pos_of(self._task.pole)) > cos(self._task.success_angle)


TASK = SwingUp
