"""Bring the tool to a point in space and hold it there: the reward is that of its distance, and nothing else.

Commanded, the goal is the signal `tool_pos_goal`, so a goal-conditioned policy reads it and a failed episode can be
relabelled with where the tool has been. Hidden, its azimuth belongs to the world: it is `goal_heading` of the world's
parameters, drawn by the task's `randomization`, the same in all episodes of a trial, and only the reward tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from robots.goals import Goal, GoalReward, Sector, distance_between
from robots.task import Signals, Start, Task
from robots.view import RobotView


class Reach(Task):
    """Settings of the task; lengths in m, angles in rad, times in s."""

    episode_time: float = Field(default=3.0, gt=0)
    tool: str = Field(description="link whose frame is to reach the goal")
    goals: Sector
    hidden: bool = False
    goal_reward: GoalReward = GoalReward()
    start_pos_std: float = Field(default=0.05, ge=0, description="spread of joint positions at reset [rad]")

    def signals(self, joints: int) -> dict[str, int]:
        """Where the tool should be [m, world], unless it is hidden."""
        return {} if self.hidden else {"tool_pos_goal": 3}

    def goal(self) -> Goal | None:
        """Return the place of the tool, where it is shown."""
        return None if self.hidden else self.goal_reward.goal("tool_pos_goal")

    def begin(self, rng: np.random.Generator, robot: RobotView) -> ReachEpisode:
        """Draw the goal and where the joints start."""
        goal = self.goals.draw(rng, robot.goal.heading if self.hidden else None)
        start = rng.normal(0.0, self.start_pos_std, size=robot.joint_count)
        return ReachEpisode(self, goal, Start(start.tolist()), self.horizon(robot.control_dt))


class ReachEpisode:
    """One drawn episode."""

    def __init__(self, task: Reach, goal: list[float], start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self._tool, self._reward = task.tool, task.goal_reward
        self._goal, self._hidden = goal, task.hidden

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return the goal, the same throughout, unless it is hidden."""
        return {} if self._hidden else {"tool_pos_goal": self._goal}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the reward of the tool's distance to the goal."""
        return self._reward.of(self._distance(robot))

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether the tool is at the goal."""
        return self._reward.reached(self._distance(robot))

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the episode is over for good: at the goal, unless it is to be held."""
        return self._reward.over(self._distance(robot))

    def achieved_goal(self, robot: RobotView) -> Sequence[float]:
        """Where the tool is [m, world]."""
        return robot.link_pos_world(self._tool)

    def _distance(self, robot: RobotView) -> float:
        return distance_between(robot.link_pos_world(self._tool), self._goal)


TASK = Reach
