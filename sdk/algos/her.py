"""Hindsight experience replay: what was reached might have been asked for (Andrychowicz et al. 2017).

    for each iteration: play whole trials, each episode for a goal that the policy reads;  keep them
        for each descent: a batch of kept steps
            for k of k + 1 of them: g′ ← what the step's own episode achieved later (future), or at its end (final)
                write g′ where the goal was read;  r ← r(achieved, g′);  terminated ← as g′ has it
            descend as soft actor-critic does

| in the paper                                       | where                                                     |
|----------------------------------------------------|-----------------------------------------------------------|
| goals G, their mapping m and r(s, g) (section 3.2) | `robots.task.Task.goal`, `GoalEpisode.achieved_goal`      |
| replay with other goals (algorithm 1)              | `sdk.rl.goal_replay.relabel`, when a batch is drawn       |
| strategies future and final (section 4.5)          | `sdk.rl.goal_replay.goal_times`                           |
| the off-policy learner                             | `sdk.rl.sac`, for DDPG                                    |

Deviations: soft actor-critic for DDPG, its targets not clipped to what rewards allow. Goals are true positions,
whatever sensors make of these; observations stay as they were sensed. The normaliser sees what was played only.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from domain_rand.schema import ConfigError
from robots.goals import Goal, place_of
from robots.spec import RobotFile, load_robot, robot_folder, robot_names
from sdk.algos.base import Algorithm
from sdk.algos.sac import build
from sdk.config import TrainConfig
from sdk.nn.squashed import SquashedPolicy
from sdk.rl.goal_replay import GoalReplay, Hindsight, Strategy
from sdk.rl.sac import Sac
from sdk.rl.soft import SoftConfig


class HerConfig(SoftConfig):
    """The keys under `method`."""

    strategy: Strategy = Field(default="future", description="goals achieved later in a step's episode, or at its end")
    k: int = Field(default=4, ge=0, description="relabelled steps for each one that keeps its goal")

    def without_hindsight(self) -> dict[str, object]:
        """Return the settings of the soft actor-critic below."""
        return self.model_dump(include=set(SoftConfig.model_fields))


def hindsight_sac(policy: SquashedPolicy, config: TrainConfig, goal: Goal, shown: slice) -> Sac:
    """Return a soft actor-critic that learns from relabelled steps of a goal that observations show at `shown`."""
    settings = HerConfig.parse(config.method, "method")
    learner = Sac(policy, config.model_copy(update={"method": settings.without_hindsight()}))
    learner.replay = GoalReplay(settings.replay, goal, shown, Hindsight(settings.strategy, settings.k))
    return learner


def goal_of(config: TrainConfig) -> tuple[Goal, slice]:
    """Return what a run's task asks for, and where observations show it; raises `ConfigError` if nothing is asked."""
    if config.robot is None:
        raise ConfigError(f"the toy '{config.subject}' has no goal that a policy reads; {_valid()}")
    spec, _ = load_robot(config.robot, config.task)
    goal = spec.task.task.goal()
    if goal is None:
        raise ConfigError(f"{config.robot}/{spec.task.name} is not paid by a goal that a policy reads; {_valid()}")
    return goal, place_of(goal.signal, spec.contract)


def goal_conditioned() -> list[str]:
    """Names robot/task of all tasks with a goal."""
    files = {name: RobotFile.load(robot_folder(name) / "robot.yaml") for name in robot_names()}
    pairs = [(name, task) for name, file in files.items() for task in file.tasks]
    return sorted(f"{name}/{task}" for name, task in pairs if files[name].spec(task).task.task.goal() is not None)


def _valid() -> str:
    return f"valid: {', '.join(goal_conditioned())}"


def learner(policy: nn.Module, config: TrainConfig) -> Sac:
    """Return what improves it."""
    assert isinstance(policy, SquashedPolicy)
    return hindsight_sac(policy, config, *goal_of(config))


ALGORITHM = Algorithm(
    "her",
    "Andrychowicz et al. 2017",
    "learns from what was reached as if it had been asked for",
    True,
    build,
    learner,
    HerConfig,
)
