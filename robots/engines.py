"""Physics engines: what each offers to a simulated robot, and the one place that picks one by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from domain_rand.schema import ConfigError
from robots.model import ROBOTS, Model, model_path
from robots.rotation import Quat, Vec3
from robots.spec import RobotSpec
from robots.view import States, World

EXTRAS = {"pybullet": "train", "mujoco": "mujoco"}
"""Engine, which is also its package, to the extra that installs it."""


class Simulator(World, Protocol):
    """One robot in one engine, stepped by joint torques and read by name; a reset leaves nothing behind.

    Joint vectors follow `joint_names`. `names` are those of links with mass and objects, of a base that can be loaded,
    or "world"; what an engine cannot simulate is refused with a `ConfigError` wherever it is named.
    """

    def reset(self, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> None: ...
    def place_base(self, offset: Vec3, turn: Quat, lin_vel_world: Vec3, ang_vel_world: Vec3) -> None: ...
    def place_object(self, name: str, pos: Vec3, quat_xyzw: Quat) -> None: ...
    def load_base(self, again: bool) -> None: ...
    def lock(self, joints: Set[str]) -> None: ...
    def step(self, torques: Sequence[float]) -> None: ...
    def run(self, torque: Callable[[States], Sequence[float]], steps: int, acting: int | None = None) -> None: ...
    def push(self, force_world: Sequence[float]) -> None: ...
    @property
    def joint_pos(self) -> list[float]: ...
    @property
    def joint_vel(self) -> list[float]: ...
    def names(self, group: str) -> tuple[str, ...]: ...
    def nominal(self, group: str, name: str, field: str) -> float: ...
    def write(self, group: str, name: str, field: str, value: float) -> None: ...
    def read(self, group: str, name: str, field: str) -> float: ...
    def inertia(self, name: str) -> Vec3: ...
    def image(self, width: int = 480, height: int = 360) -> Any: ...
    def close(self) -> None: ...


def open_world(spec: RobotSpec) -> Simulator:
    """Load a robot into the engine that its model names; raises `ConfigError` naming the extra that is missing."""
    folder = spec.folder or ROBOTS / spec.contract.robot
    return _world_class(spec.model.engine)(model_path(folder, spec.model.file), spec.model, spec.joint_names, folder)


def _world_class(engine: str) -> Callable[[Path, Model, Sequence[str], Path], Simulator]:
    if find_spec(engine) is None:
        extra = EXTRAS[engine]
        raise ConfigError(f"model.engine: {engine} is not installed; pip install 'simshift[{extra}]'")
    if engine == "mujoco":
        from robots.mujoco.world import MujocoWorld

        return MujocoWorld
    from robots.bullet.world import BulletWorld

    return BulletWorld
