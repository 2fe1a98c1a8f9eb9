"""A robot's folder as one object: its contract, its model, its task and its distribution over worlds."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field, model_validator

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError, Schema, nearest, read_yaml
from robots.contract import Contract
from robots.tasks.track_target import TrackTarget

ROBOTS = Path(__file__).parent
TASKS = {"track_target": TrackTarget}


class Model(Schema):
    """How the robot is simulated. Nothing here travels to the real robot."""

    file: str
    base_pos: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fixed_base: bool = True
    physics_dt: float = Field(gt=0, description="period of the explicit actuator model [s]")
    solver_substeps: int = Field(default=1, ge=1)
    solver_iterations: int = Field(default=50, ge=1)
    gravity: float = Field(default=9.81, ge=0)


class TaskSpec(Schema):
    """Which task, how many episodes of it make a trial, and the task's own settings."""

    name: str
    episodes: int = Field(default=1, ge=1)
    settings: dict[str, float | int | bool | list[float]] = {}

    @model_validator(mode="after")
    def _known(self) -> TaskSpec:
        if self.name not in TASKS:
            raise ValueError(f"unknown task '{self.name}'; {nearest(self.name, tuple(TASKS))}")
        return self

    @cached_property
    def task(self) -> TrackTarget:
        return TASKS[self.name].parse(self.settings, f"task {self.name}")


class RobotSpec(Schema):
    """Everything in `robot.yaml`."""

    description: str
    contract: Contract
    model: Model
    task: TaskSpec

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


def robot_names() -> list[str]:
    """Names of all robots: the folders that hold a `robot.yaml`."""
    return sorted(path.parent.name for path in ROBOTS.glob("*/robot.yaml"))


def load_robot(name: str) -> tuple[RobotSpec, Randomization]:
    """Read a robot's folder; raises `ConfigError` naming the file and key, or the nearest robot."""
    folder = ROBOTS / name
    if name not in robot_names():
        raise ConfigError(f"unknown robot '{name}'; {nearest(name, robot_names())}")
    spec = RobotSpec.parse(read_yaml(folder / "robot.yaml"), str(folder / "robot.yaml"))
    if spec.contract.robot != name:
        raise ConfigError(f"{folder / 'robot.yaml'}: contract.robot is '{spec.contract.robot}', the folder '{name}'")
    return spec, Randomization.load(folder / "randomization.yaml")


def urdf_path(spec: RobotSpec) -> Path:
    """Where the robot's model file lies; raises `ConfigError` when it is not there."""
    path = ROBOTS / spec.contract.robot / spec.model.file
    if not path.is_file():
        raise ConfigError(f"model.file: {path} does not exist")
    return path
