"""Follow a joint target that jumps: the reward is closeness to the target, less a little for effort.

The target is a command signal, so a goal-conditioned policy reads it; the true error, not the measured one, is scored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from domain_rand.schema import Schema
from robots.rewards import closeness, effort


class TrackTarget(Schema):
    """Settings of the task; times in s, angles in rad."""

    episode_time: float = Field(default=2.0, gt=0)
    hold_time: float = Field(default=1.0, gt=0, description="time between jumps of the target")
    target_range: tuple[float, float] = (-1.2, 1.2)
    sharpness: float = Field(default=8.0, gt=0, description="of the closeness reward [1/rad²]")
    effort_weight: float = Field(default=0.02, ge=0)
    success_error: float = Field(default=0.15, gt=0, description="error that counts as on target [rad]")
    start_pos_std: float = Field(default=0.05, ge=0, description="spread of the joint position at reset [rad]")

    def horizon(self, control_dt: float) -> int:
        """Control steps in one episode."""
        return max(1, round(self.episode_time / control_dt))

    def begin(self, rng: np.random.Generator, joints: int, control_dt: float) -> TrackTargetEpisode:
        """Draw one episode: its targets and where the joints start."""
        steps, hold_steps = self.horizon(control_dt), max(1, round(self.hold_time / control_dt))
        holds = -(-steps // hold_steps)
        targets = rng.uniform(*self.target_range, size=(holds, joints))
        start = rng.normal(0.0, self.start_pos_std, size=joints)
        return TrackTargetEpisode(self, targets.tolist(), start.tolist(), steps, hold_steps)


class TrackTargetEpisode:
    """One drawn episode; `step` counts control periods since its start."""

    def __init__(
        self, task: TrackTarget, targets: list[list[float]], start_pos: list[float], steps: int, hold_steps: int
    ) -> None:
        self.start_pos = start_pos
        self.horizon = steps
        self._task = task
        self._targets = targets
        self._hold_steps = hold_steps

    def command_signals(self, step: int) -> dict[str, list[float]]:
        """Return the signals the task itself provides: what the robot is asked for, from `step` on."""
        return {"joint_pos_target": self._target(step)}

    def reward(self, step: int, joint_pos: Sequence[float], action: Sequence[float]) -> float:
        """Return the reward of the period that ended at `step`, judged against the target it was given for."""
        target = self._target(step - 1)
        close = sum(closeness(q - t, self._task.sharpness) for q, t in zip(joint_pos, target, strict=True))
        return close / len(target) - self._task.effort_weight * effort(action)

    def success(self, step: int, joint_pos: Sequence[float]) -> bool:
        """Whether every joint is on target."""
        target = self._target(step - 1)
        return all(abs(q - t) <= self._task.success_error for q, t in zip(joint_pos, target, strict=True))

    def terminated(self, joint_pos: Sequence[float]) -> bool:
        """Whether the episode is over for good: never, an arm may always go on."""
        return False

    def _target(self, step: int) -> list[float]:
        return self._targets[min(step // self._hold_steps, len(self._targets) - 1)]
