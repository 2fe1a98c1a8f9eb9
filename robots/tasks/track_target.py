"""Follow a joint target that jumps: the reward is closeness to the target, less a little for effort.

The target is a command signal, so a goal-conditioned policy reads it; the true error, not the measured one, is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import sub

import numpy as np
from pydantic import Field

from robots.goals import Goal
from robots.rewards import closeness, effort
from robots.task import Signals, Start, Task
from robots.view import RobotView


class TrackTarget(Task):
    """Settings of the task; times in s, angles in rad."""

    hold_time: float = Field(default=1.0, gt=0, description="time between jumps of the target")
    target_range: tuple[float, float] = (-1.2, 1.2)
    target_centre: tuple[float, ...] = Field(default=(), description="of each joint's range [rad]; none: all 0")
    sharpness: float = Field(default=8.0, gt=0, description="of the closeness reward [1/rad²]")
    effort_weight: float = Field(default=0.02, ge=0)
    success_error: float = Field(default=0.15, gt=0, description="error that counts as on target [rad]")
    start_pos_std: float = Field(default=0.05, ge=0, description="spread of the joint position at reset [rad]")

    def signals(self, joints: int) -> dict[str, int]:
        """Where every joint should be."""
        return {"joint_pos_target": joints}

    def goal(self) -> Goal | None:
        """Return where the joints should be, where effort is free."""
        return Goal("joint_pos_target", self._closeness) if self.effort_weight == 0 else None

    def _closeness(self, achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
        return np.exp(-self.sharpness * (achieved - desired) ** 2).mean(-1)

    def begin(self, rng: np.random.Generator, robot: RobotView) -> TrackTargetEpisode:
        """Draw one episode: its targets and where the joints start."""
        steps, hold_steps = self.horizon(robot.control_dt), max(1, round(self.hold_time / robot.control_dt))
        holds = -(-steps // hold_steps)
        targets = rng.uniform(*self.target_range, size=(holds, robot.joint_count))
        if self.target_centre:
            targets = targets + self.target_centre
        start = rng.normal(0.0, self.start_pos_std, size=robot.joint_count)
        return TrackTargetEpisode(self, targets.tolist(), Start(start.tolist()), steps, hold_steps)


class TrackTargetEpisode:
    """One drawn episode."""

    def __init__(
        self, task: TrackTarget, targets: list[list[float]], start: Start, steps: int, hold_steps: int
    ) -> None:
        self.start = start
        self.horizon = steps
        self._sharpness, self._effort_weight = task.sharpness, task.effort_weight
        self._success_error = task.success_error
        self._targets = targets
        self._hold_steps = hold_steps

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return the target from `step` on."""
        return {"joint_pos_target": self._target(step)}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the reward of the period that ended at `step`, judged against the target it was given for."""
        errors = self._errors(step, robot)
        close = sum([closeness(error, self._sharpness) for error in errors])
        return close / len(errors) - self._effort_weight * effort(robot.last_action)

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether every joint is on target."""
        return max(map(abs, self._errors(step, robot))) <= self._success_error

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the episode is over for good: never, an arm may always go on."""
        return False

    def achieved_goal(self, robot: RobotView) -> Sequence[float]:
        """Where the joints are."""
        return robot.joint_pos

    def _errors(self, step: int, robot: RobotView) -> list[float]:
        return list(map(sub, robot.joint_pos, self._target(step - 1)))

    def _target(self, step: int) -> list[float]:
        index = step // self._hold_steps
        return self._targets[index] if index < len(self._targets) else self._targets[-1]


TASK = TrackTarget
