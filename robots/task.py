"""What a task is: settings that draw episodes, and episodes that start, command, reward and end.

A task is one file `robots/tasks/<name>.py` with a `Task` subclass named by its module variable `TASK`. It sees the
robot through a `RobotView` only; `rng` is the episode's own generator, and all chance in a task comes from it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

import robots.tasks
from domain_rand.schema import ConfigError, Schema, nearest
from robots.goals import Goal
from robots.rotation import IDENTITY, Quat, Vec3
from robots.view import RobotView

Signals = Mapping[str, Sequence[float]]
FallCost = Annotated[float, Field(ge=0, description="what ending for good costs, in periods of full reward")]


@dataclass(frozen=True, slots=True)
class Start:
    """Where an episode begins; whatever is left empty is the default pose, at rest.

    Joint offsets [rad] and velocities [rad/s] are per joint: actuated ones in contract order, then the passive ones of
    the model file's list; a shorter list leaves the rest at its default. The base is moved by `base_offset` [m, world]
    and turned by `base_turn` (xyzw) from where it was loaded; its velocities [m/s, rad/s] are in the world frame.
    `objects` places extra objects: name to (position [m], quaternion xyzw).
    """

    joint_offset: Sequence[float] = ()
    joint_vel: Sequence[float] = ()
    base_offset: Vec3 = (0.0, 0.0, 0.0)
    base_turn: Quat = IDENTITY
    base_lin_vel: Vec3 = (0.0, 0.0, 0.0)
    base_ang_vel: Vec3 = (0.0, 0.0, 0.0)
    objects: Mapping[str, tuple[Vec3, Quat]] = field(default_factory=dict)


class Episode(Protocol):
    """One drawn episode. `step` counts control periods since its start; `robot` is the truth as it stands now."""

    start: Start
    horizon: int

    def command_signals(self, step: int, robot: RobotView) -> Signals:
        """What the robot is asked for from `step` on: a value for each of the task's `signals`."""
        ...

    def reward(self, step: int, robot: RobotView) -> float:
        """The reward of the period that ended at `step`, judged against what was commanded at `step − 1`."""
        ...

    def terminated(self, step: int, robot: RobotView) -> bool:
        """Whether the episode is over for good: a fall, not the end of its time."""
        ...

    def success(self, step: int, robot: RobotView) -> bool:
        """Whether the task counts as achieved right now."""
        ...


@runtime_checkable
class GoalEpisode(Episode, Protocol):
    """An episode of a task with a goal, so that a failed one can be learned from as if its end had been asked for."""

    def achieved_goal(self, robot: RobotView) -> Sequence[float]:
        """What is reached now, in the goal signal's unit and frame."""
        ...


class Task(Schema):
    """Settings of a task; times in s. A subclass adds its own, `signals` and `begin`.

    A trial goes on after a fall, with an episode that begins upright: where `fall_cost` is less than that is worth,
    falling again and again earns more than learning not to. The environment charges it, beside `Episode.reward`.
    """

    episodes: int = Field(default=1, ge=1, description="episodes of one world in a trial")
    episode_time: float = Field(default=2.0, gt=0)
    fall_cost: FallCost = 0.0

    def horizon(self, control_dt: float) -> int:
        """Control steps in one episode, at least one."""
        return max(1, round(self.episode_time / control_dt))

    def signals(self, joints: int) -> dict[str, int]:
        """Return the command signals that the task provides, name to size, for a robot of so many actuated joints."""
        return {}

    def goal(self) -> Goal | None:
        """Return what the task asks for, if that is all it pays for; its episodes are `GoalEpisode`s then."""
        return None

    def begin(self, rng: np.random.Generator, robot: RobotView) -> Episode:
        """Draw one episode."""
        raise NotImplementedError(f"{type(self).__name__} draws no episodes")


def task_names() -> list[str]:
    """Names of all tasks: the modules in `robots/tasks`."""
    return sorted(module.name for module in pkgutil.iter_modules(robots.tasks.__path__))


def find_task(name: str) -> type[Task]:
    """Return the task class of `robots/tasks/<name>.py`; raises `ConfigError` naming the nearest task."""
    if name not in task_names():
        raise ConfigError(f"unknown task '{name}'; {nearest(name, task_names())}")
    task = getattr(importlib.import_module(f"robots.tasks.{name}"), "TASK", None)
    if task is None:
        raise ConfigError(f"robots/tasks/{name}.py: no TASK; add `TASK = <the class>`")
    return task
