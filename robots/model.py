"""How a robot is simulated. Nothing here travels to the real robot."""

from __future__ import annotations

import importlib.util
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from domain_rand.schema import ConfigError, Schema

ROBOTS = Path(__file__).parent
_STOCK = "pybullet_data:"

Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]

Engine = Literal["pybullet", "mujoco"]
"""Which simulator moves the links; drives, sensors and limits are the same code in either."""


class DriveModel(Schema):
    """What a joint's drive has beyond the contract; of a passive joint, its friction. Units as in `Actuator`.

    With `gear_ratio`, the reflected inertia is that of a rotor that turns faster than its link.
    """

    viscous: float = Field(default=0.0, ge=0)
    coulomb: float = Field(default=0.0, ge=0)
    load_friction: float = Field(default=0.0, ge=0, le=1)
    dead_band: float = Field(default=0.0, ge=0)
    delay: float = Field(default=0.0, ge=0)
    backlash: float = Field(default=0.0, ge=0)
    reflected_inertia: float = Field(default=0.0, ge=0)
    speed_limit: float | None = Field(default=None, gt=0, description="no-load speed [rad/s]; none: full torque always")
    locked: float = Field(default=0.0, ge=0, le=1, description="1 = held where it starts, like a gripper not in use")
    gear_ratio: float | None = Field(default=None, description="turns of the rotor in one of the joint, signed")

    @field_validator("gear_ratio")
    @classmethod
    def _geared(cls, ratio: float | None) -> float | None:
        if ratio is not None and abs(ratio) < 1.0:
            raise ValueError("a gear turns the rotor at least once in one turn of the joint")
        return ratio


class ObjectModel(Schema):
    """An extra object in the scene: one rigid body from a URDF."""

    file: str
    pos: Vec3 = (0.0, 0.0, 0.0)
    quat_xyzw: Quat = (0.0, 0.0, 0.0, 1.0)
    fixed: bool = False


class Camera(Schema):
    """Where pictures are taken from: lengths in m, angles in degrees; yaw 0 looks along +y."""

    distance: float = Field(default=2.0, gt=0)
    yaw: float = 0.0
    pitch: float = -15.0
    target: Vec3 = (0.0, 0.0, 0.3)
    follow: bool = Field(default=False, description="whether the target moves along with the base")
    field_of_view: float = Field(default=40.0, gt=0, lt=180)


class Model(Schema):
    """The model file and how it is simulated.

    `file` is relative to the robot's folder, or `pybullet_data:<path>`; `.urdf` or `.xml` (MJCF). Movable joints that
    neither the contract nor `passive_joints` names start at zero and swing freely.
    """

    file: str
    base_pos: Vec3 = (0.0, 0.0, 0.0)
    base_quat_xyzw: Quat = (0.0, 0.0, 0.0, 1.0)
    fixed_base: bool = True
    base_link: str | None = Field(default=None, description="link that counts as the base; none: the root")
    floor: bool = Field(default=False, description="whether there is a floor, the plane z = 0")
    self_collision: bool = False
    passive_joints: dict[str, float] = Field(default={}, description="joints without motor: name to default position")
    drives: dict[str, DriveModel] = Field(
        default={}, description="joint name pattern to what its drive has; first match"
    )
    objects: dict[str, ObjectModel] = {}
    camera: Camera = Camera()
    engine: Engine = "pybullet"
    physics_dt: float = Field(gt=0, description="period of the explicit actuator model [s]")
    solver_substeps: int = Field(default=1, ge=1)
    solver_iterations: int = Field(default=50, ge=1, description="PyBullet's; MuJoCo iterates until it has converged")
    gravity: float = Field(default=9.81, ge=0)

    def drive(self, joint: str) -> DriveModel:
        """What the drive of a joint has beyond the contract."""
        return next((drive for pattern, drive in self.drives.items() if fnmatchcase(joint, pattern)), DriveModel())


def model_path(folder: Path, file: str) -> Path:
    """Where a model file of the robot in `folder` lies; raises `ConfigError` when it is not there."""
    if file.startswith(_STOCK):
        found = importlib.util.find_spec("pybullet_data")
        if found is None or found.origin is None:
            raise ConfigError(f"model.file: {file} needs pybullet; install the extra [train]")
        path = Path(found.origin).parent / file.removeprefix(_STOCK)
    else:
        path = folder / file
    if not path.is_file():
        raise ConfigError(f"model.file: {path} does not exist")
    return path
