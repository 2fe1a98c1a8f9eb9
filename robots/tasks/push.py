"""Push an object on the floor to a place: the reward is that of its distance, with a little for being at the object.

The goal is the command signal `object_pos_goal`, in the plane. What `goal_reward` gives is earned whatever the arm
does; the share for the approach fills up what is missing, so reaching the goal is worth 1 with or without it. A sparse
reward has no such share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from robots.goals import Goal, GoalReward, Sector, distance_between
from robots.rewards import tolerance
from robots.rotation import IDENTITY
from robots.task import Signals, Start, Task
from robots.view import RobotView


class Push(Task):
    """Settings of the task; lengths in m, angles in rad, times in s."""

    episode_time: float = Field(default=6.0, gt=0)
    tool: str = Field(description="link that pushes")
    object: str = Field(default="puck", description="name of the object in the scene")
    object_height: float = Field(default=0.04, ge=0, description="of the object's frame, when it lies")
    places: Sector = Field(description="where the object starts and its goals lie; heights are not used")
    goal_distance: float = Field(default=0.1, ge=0, description="least distance from the object's start to the goal")
    goal_reward: GoalReward = GoalReward(margin=0.2)
    approach_share: float = Field(default=0.2, ge=0, lt=1, description="of the missing reward, for being at the object")
    approach_distance: float = Field(default=0.12, gt=0, description="from tool to object that counts as being there")
    approach_margin: float = Field(default=0.4, gt=0, description="distance beyond that earns a tenth")
    start_pos_std: float = Field(default=0.05, ge=0, description="spread of joint positions at reset [rad]")

    def signals(self, joints: int) -> dict[str, int]:
        """Where the object should be [m, world x and y]."""
        return {"object_pos_goal": 2}

    def goal(self) -> Goal | None:
        """Return the place of the object, where that alone is paid for."""
        whole = self.goal_reward.sparse or self.approach_share == 0
        return self.goal_reward.goal("object_pos_goal") if whole else None

    def begin(self, rng: np.random.Generator, robot: RobotView) -> PushEpisode:
        """Draw where the object lies, where it should go, and where the joints start."""
        place, goal = self._places(rng)
        pos = (place[0], place[1], self.object_height)
        offset = rng.normal(0.0, self.start_pos_std, size=robot.joint_count).tolist()
        start = Start(offset, objects={self.object: (pos, IDENTITY)})
        return PushEpisode(self, goal, start, self.horizon(robot.control_dt))

    def _places(self, rng: np.random.Generator) -> tuple[list[float], list[float]]:
        """Draw start and goal anew until they are far enough apart."""
        for _ in range(1000):
            place, goal = self.places.draw(rng)[:2], self.places.draw(rng)[:2]
            if distance_between(place, goal) >= self.goal_distance:
                return place, goal
        raise ValueError(
            f"push: places has no two points {self.goal_distance} m apart; widen it or lower goal_distance"
        )


class PushEpisode:
    """One drawn episode."""

    def __init__(self, task: Push, goal: list[float], start: Start, horizon: int) -> None:
        self.start = start
        self.horizon = horizon
        self._task, self._reward = task, task.goal_reward
        self._goal = goal

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """Return the goal, the same throughout."""
        return {"object_pos_goal": self._goal}

    def reward(self, step: int, robot: RobotView) -> float:
        """Return the reward of the object's distance to the goal, filled up a little by the tool's to the object."""
        earned = self._reward.of(self._distance(robot))
        if self._reward.sparse:
            return earned
        return earned + self._task.approach_share * (1.0 - earned) * self._approach(robot)

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether the object is at the goal."""
        return self._reward.reached(self._distance(robot))

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the episode is over for good: at the goal, unless the object is to stay there."""
        return self._reward.over(self._distance(robot))

    def achieved_goal(self, robot: RobotView) -> Sequence[float]:
        """Where the object is [m, world x and y]."""
        return robot.object_pos_world(self._task.object)[:2]

    def _distance(self, robot: RobotView) -> float:
        return distance_between(self.achieved_goal(robot), self._goal)

    def _approach(self, robot: RobotView) -> float:
        task = self._task
        distance = distance_between(robot.link_pos_world(task.tool), robot.object_pos_world(task.object))
        return tolerance(distance, 0.0, task.approach_distance, task.approach_margin)


TASK = Push
