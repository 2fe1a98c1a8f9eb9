"""A robot's folder as one object: its contract, its model, its task and its distribution over worlds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError, Schema, nearest, read_yaml
from robots.contract import Contract
from robots.model import ROBOTS, Engine, Model, model_path
from robots.task import Task, find_task

__all__ = ["ROBOTS", "RobotFile", "RobotSpec", "TaskSpec", "load_robot", "robot_folder", "robot_names", "urdf_path"]

ELSEWHERE = "SIMSHIFT_ROBOTS"
"""Environment variable naming folders of robots outside the package, separated as in PATH."""


OWN_KEYS = ("task", "signals", "model", "randomization", "dynamics", "needs_reward", "actuated")
"""Keys of a task's entry in `robot.yaml` that are not the task's settings."""


class TaskSpec(Schema):
    """One task of a robot: its name there, the module that implements it, and the task's own settings."""

    name: str
    module: str
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _parsed(self) -> TaskSpec:
        assert self.task
        return self

    @cached_property
    def task(self) -> Task:
        return find_task(self.module).parse(self.settings, f"task {self.name}")

    @property
    def episodes(self) -> int:
        """Episodes in a trial."""
        return self.task.episodes


class RobotSpec(Schema):
    """A robot doing one task; the contract holds the robot's signals and the task's. `folder` is where it was read."""

    description: str
    contract: Contract
    model: Model
    task: TaskSpec
    folder: Path | None = None

    @model_validator(mode="after")
    def _whole_steps(self) -> RobotSpec:
        ratio = self.contract.control_dt / self.model.physics_dt
        if ratio < 0.999 or abs(ratio - round(ratio)) > 1e-6:
            raise ValueError(
                f"control_dt {self.contract.control_dt} is not a whole number of physics_dt {self.model.physics_dt}"
            )
        return self

    @cached_property
    def physics_steps(self) -> int:
        """Physics steps in one control period."""
        return round(self.contract.control_dt / self.model.physics_dt)

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """All joints that are simulated by name: the contract's, then the passive ones."""
        return (*self.contract.joint_names, *self.model.passive_joints)


class RobotFile(Schema):
    """Everything in `robot.yaml`: one robot and the tasks it may be given.

    A task's entry holds the task's settings, and what only this task needs: `task`, the module if it is not the entry's
    name; `signals` beside the contract's (its commands, as a rule); `model`, what replaces keys of the model (a scene);
    `randomization`, parameters beside those of `randomization.yaml` (its hidden goal), or with `dynamics: false`
    instead of them: the body is as in its files; `needs_reward`, where only the reward tells what is wanted;
    `actuated`, the joints that it may drive, if not all: the others keep what their drives have and become passive.
    """

    description: str
    contract: dict[str, Any]
    model: Model
    tasks: dict[str, dict[str, Any]] = Field(min_length=1)
    default_task: str | None = None

    def spec(self, task: str | None = None, source: str = "robot.yaml") -> RobotSpec:
        """Return the robot doing one of its tasks, the default one if none is named; raises `ConfigError`."""
        name = self._task_name(task, source)
        entry = self.tasks[name]
        settings = {key: value for key, value in entry.items() if key not in OWN_KEYS}
        module, actuated = entry.get("task", name), entry.get("actuated")
        data = {**self.contract, "signals": [*self.contract.get("signals", []), *entry.get("signals", [])]}
        data |= {"needs_reward": entry["needs_reward"]} if "needs_reward" in entry else {}
        contract = Contract.parse(data, f"{source}: contract")
        model = Model.parse({**self.model.model_dump(), **entry.get("model", {})}, f"{source}: model of {name}")
        if actuated is not None:
            contract, model = _driving(actuated, contract, model, f"{source}: task {name}: actuated")
        return RobotSpec.parse(
            {
                "description": self.description,
                "contract": contract,
                "model": model,
                "task": {"name": name, "module": module, "settings": settings},
            },
            source,
        )

    def randomization(self, task: str | None, path: Path) -> Randomization:
        """Read the robot's distribution over worlds, with what the task adds; raises `ConfigError`."""
        entry = self.tasks[self._task_name(task, str(path))]
        own = entry.get("randomization", {})
        data = read_yaml(path) if entry.get("dynamics", True) else {}
        return Randomization.parse({**data, "parameters": {**data.get("parameters", {}), **own}}, str(path))

    def _task_name(self, task: str | None, source: str) -> str:
        name = task or self.default_task or next(iter(self.tasks))
        if name not in self.tasks:
            raise ConfigError(f"{source}: the robot has no task '{name}'; {nearest(name, tuple(self.tasks))}")
        return name


def _driving(actuated: Sequence[str], contract: Contract, model: Model, source: str) -> tuple[Contract, Model]:
    """Leave only these joints to the policy; the others turn passive, in front of those that always are."""
    for name in actuated:
        if name not in contract.joint_names:
            raise ConfigError(f"{source}: no joint '{name}'; {nearest(name, contract.joint_names)}")
    kept = [i for i, name in enumerate(contract.joint_names) if name in actuated]
    data = contract.plain()
    data["joints"] = [data["joints"][i] for i in kept]
    data["action"] |= {key: [data["action"][key][i] for i in kept] for key in ("scale", "offset", "rate_limit")}
    idle = {joint.name: joint.default_pos for joint in contract.joints if joint.name not in actuated}
    passive = model.model_copy(update={"passive_joints": {**idle, **model.passive_joints}})
    return Contract.parse(data, source), passive


def robot_names() -> list[str]:
    """Names of all robots: the folders that hold a `robot.yaml`, here and where `SIMSHIFT_ROBOTS` points."""
    return sorted(_folders())


def robot_folder(robot: str) -> Path:
    """Where a robot's files lie, found by its name, or by its folder's path such as `./my_robot`.

    Raises `ConfigError` naming the nearest robot.
    """
    by_path = Path(robot)
    if len(by_path.parts) > 1 or by_path.is_absolute() or robot.startswith("."):
        if (by_path / "robot.yaml").is_file():
            return by_path.resolve()
    elif robot in (folders := _folders()):
        return folders[robot]
    raise ConfigError(f"unknown robot '{robot}'; {nearest(robot, robot_names())}")


def _folders() -> dict[str, Path]:
    """Robots by name; the package's own win over others of the same name."""
    elsewhere = [Path(part).resolve() for part in os.environ.get(ELSEWHERE, "").split(os.pathsep) if part]
    files = [path for place in [*reversed(elsewhere), ROBOTS] for path in place.glob("*/robot.yaml")]
    return {path.parent.name: path.parent for path in files}


def load_robot(robot: str, task: str | None = None, engine: Engine | None = None) -> tuple[RobotSpec, Randomization]:
    """Read a robot's folder, given by name or path, for an engine if not that of its model.

    Raises `ConfigError` naming file and key, or the nearest name.
    """
    folder = robot_folder(robot)
    source = str(folder / "robot.yaml")
    file = RobotFile.load(source)
    spec = file.spec(task, source)
    model = spec.model if engine is None else Model.parse({**spec.model.plain(), "engine": engine}, source)
    spec = spec.model_copy(update={"folder": folder, "model": model})
    if spec.contract.robot != folder.name:
        raise ConfigError(f"{source}: contract.robot is '{spec.contract.robot}', the folder '{folder.name}'")
    return spec, file.randomization(task, folder / "randomization.yaml")


def urdf_path(spec: RobotSpec) -> Path:
    """Where the robot's model file lies; raises `ConfigError` when it is not there."""
    return model_path(spec.folder or ROBOTS / spec.contract.robot, spec.model.file)
