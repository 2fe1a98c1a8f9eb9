"""Walk as told: follow a velocity command in the base's frame, upright, at height, without jerking.

The command (forward, leftward, turning) is a signal, drawn anew every `hold_time`; some are zero, so that standing is
part of the task. Every term lies in [0, 1], and the weights are those of a mean.
"""

from __future__ import annotations

from math import hypot
from operator import mul

import numpy as np
from pydantic import Field

from robots.rewards import closeness, restlessness, tolerance
from robots.rotation import from_yaw
from robots.task import FallCost, Signals, Start, Task
from robots.view import RobotView

Range = tuple[float, float]


class Walk(Task):
    """Settings of the task; velocities in m/s and rad/s, lengths in m, times in s."""

    episode_time: float = Field(default=10.0, gt=0)
    hold_time: float = Field(default=5.0, gt=0, description="time between new commands")
    forward: Range = (-0.5, 1.0)
    leftward: Range = (-0.3, 0.3)
    turning: Range = (-0.8, 0.8)
    still_share: float = Field(default=0.1, ge=0, le=1, description="share of commands that are zero")
    sharpness: float = Field(default=4.0, gt=0, description="of the velocity terms [1/(m/s)², 1/(rad/s)²]")
    height: float = Field(default=0.26, gt=0, description="of the base's frame when it walks well")
    fall_height: float = Field(default=0.15, ge=0)
    fall_tilt: float = Field(default=0.5, ge=-1, le=1, description="cosine of the tilt that counts as a fall")
    fall_cost: FallCost = 25.0
    weights: tuple[float, float, float, float, float] = (4.0, 2.0, 1.0, 1.0, 1.0)
    success_error: float = Field(default=0.25, gt=0, description="velocity error that counts as following [m/s]")
    start_std: float = Field(default=0.05, ge=0, description="spread of joint positions at reset [rad]")

    def signals(self, joints: int) -> dict[str, int]:
        """What is commanded: velocity forward, leftward, and turning."""
        return {"velocity_command": 3}

    def begin(self, rng: np.random.Generator, robot: RobotView) -> WalkEpisode:
        """Draw commands, heading and joint positions."""
        steps, hold_steps = self.horizon(robot.control_dt), max(1, round(self.hold_time / robot.control_dt))
        low, high = zip(self.forward, self.leftward, self.turning, strict=True)
        commands = rng.uniform(low, high, size=(-(-steps // hold_steps), 3))
        commands[rng.random(len(commands)) < self.still_share] = 0.0
        turn = from_yaw(rng.uniform(-np.pi, np.pi))
        start = Start(rng.normal(0.0, self.start_std, size=robot.joint_count).tolist(), base_turn=turn)
        return WalkEpisode(self, commands.tolist(), start, steps, hold_steps)


class WalkEpisode:
    """One drawn episode."""

    def __init__(self, task: Walk, commands: list[list[float]], start: Start, steps: int, hold_steps: int) -> None:
        self.start = start
        self.horizon = steps
        self._task = task
        self._commands = commands
        self._hold_steps = hold_steps
        self._weights = [weight / sum(task.weights) for weight in task.weights]
        self._action: list[float] | None = None

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return the velocity command from `step` on."""
        return {"velocity_command": self._command(step)}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the weighted mean of following, turning, staying level, at height and calm."""
        task, action = self._task, robot.last_action
        forward, leftward, turning = self._command(step - 1)
        vel, gravity = robot.base_lin_vel_body, robot.projected_gravity
        terms = (
            closeness(hypot(vel[0] - forward, vel[1] - leftward), task.sharpness),
            closeness(robot.base_ang_vel_body[2] - turning, task.sharpness),
            closeness(hypot(gravity[0], gravity[1]), 20.0),
            tolerance(robot.base_height[0], task.height - 0.03, task.height + 0.03, 0.1),
            1.0 - min(1.0, restlessness(action, self._action or action)),
        )
        self._action = action
        return sum(map(mul, terms, self._weights))

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the robot has fallen."""
        fallen = -robot.projected_gravity[2] < self._task.fall_tilt
        return fallen or robot.base_height[0] < self._task.fall_height

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether the robot moves as told."""
        forward, leftward, _ = self._command(step - 1)
        vel = robot.base_lin_vel_body
        following = hypot(vel[0] - forward, vel[1] - leftward) <= self._task.success_error
        return following and not self.terminated(step, robot)

    def _command(self, step: int) -> list[float]:
        return self._commands[min(step // self._hold_steps, len(self._commands) - 1)]


TASK = Walk
