"""Swing a chain of links up and hold it there; started standing, the same task is balancing.

The chain hangs where all its joints are 0, and a joint's angle is relative to the link before: a link's own angle is
the sum of those up to it. Every reward term lies in [0, 1] and they are multiplied.
"""

from __future__ import annotations

from itertools import accumulate
from math import cos, pi

import numpy as np
from pydantic import Field

from robots.rewards import effort, tolerance, upright
from robots.task import Signals, Start, Task
from robots.view import RobotView


class SwingUpChain(Task):
    """Settings of the task; angles in rad. `joints` go from the base outward, driven or not."""

    episode_time: float = Field(default=8.0, gt=0)
    joints: tuple[str, ...] = Field(default=("shoulder", "elbow"), min_length=1)
    start_pose: tuple[float, ...] = Field(default=(), description="joint positions at reset; the rest hangs")
    start_std: float = Field(default=0.05, ge=0, description="spread of all positions and velocities at reset")
    fall_angle: float | None = Field(default=None, gt=0, description="angle from up that loses; none: never lost")
    calm_vel: float = Field(default=15.0, gt=0, description="velocity of the fastest joint that earns a tenth [rad/s]")
    effort_share: float = Field(default=0.1, ge=0, le=1, description="share of the reward that full effort costs")
    success_angle: float = Field(default=0.2, gt=0, description="largest angle from up of a link that stands")

    def begin(self, rng: np.random.Generator, robot: RobotView) -> SwingUpChainEpisode:
        """Draw how the chain starts."""
        places = [robot.joint_index(joint) for joint in self.joints]
        pos, vel = rng.normal(0.0, self.start_std, size=(2, 1 + max(places))).tolist()
        for place, angle in zip(places, self.start_pose, strict=False):
            pos[place] += angle
        return SwingUpChainEpisode(self, Start(joint_offset=pos, joint_vel=vel), self.horizon(robot.control_dt))


class SwingUpChainEpisode:
    """One drawn episode."""

    def __init__(self, task: SwingUpChain, start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self._task = task

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Nothing is commanded: up is up."""
        return {}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return upright (mean of the links) × calm × effortless."""
        task = self._task
        up = [upright(height) for height in self._heights(robot)]
        fastest = max(abs(robot.joint_vel_of(joint)) for joint in task.joints)
        calm = tolerance(fastest, 0.0, 0.0, task.calm_vel)
        tired = effort(robot.last_action) / robot.joint_count
        return sum(up) / len(up) * (1.0 + calm) / 2.0 * (1.0 - task.effort_share * tired)

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether a chain that was to be balanced has fallen."""
        fall = self._task.fall_angle
        return fall is not None and min(self._heights(robot)) < cos(min(fall, pi))

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether all links stand."""
        return min(self._heights(robot)) > cos(self._task.success_angle)

    def _heights(self, robot: RobotView) -> list[float]:
        """Cosine of each link's angle from up."""
        return [-cos(angle) for angle in accumulate(robot.joint_pos_of(joint) for joint in self._task.joints)]


TASK = SwingUpChain
