"""Which column of a log is what: a small YAML that maps a file's own names and units to a robot's joints.

time: {column: t, unit: ms}
joints:
  shoulder: {pos: q1, vel: dq1, command: tau1, torque: current_torque1}
  elbow: {pos: {cos: c2, sin: s2}, vel: dq2, command: tau2}
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any, Literal

from pydantic import Field, field_validator

from domain_rand.schema import ConfigError, Schema, nearest

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
SCALES = {"rad": 1.0, "deg": pi / 180, "m": 1.0}


class Clock(Schema):
    """The column of time stamps and its unit."""

    column: str = "time"
    unit: Literal["s", "ms", "us", "ns"] = "s"


class Direction(Schema):
    """An angle logged as its cosine and sine."""

    cos: str
    sin: str


class JointColumns(Schema):
    """The columns of one joint. Without `vel` it is differentiated from `pos`; passive joints have no `command`.

    `unit` is that of `pos` and, each second, of `vel`; the command is multiplied by `command_scale`.
    """

    unit: Literal["rad", "deg", "m"] = "rad"
    pos: str | Direction
    vel: str | None = None
    command: str | None = None
    command_scale: float = 1.0
    torque: str | None = Field(default=None, description="measured torque, where there is one")


class ColumnMap(Schema):
    """What a log's columns mean; joints by the robot's names. `array` is the `.npz` array that the columns name.

    `free` marks a log of free motion, which needs no command.
    """

    time: Clock = Clock()
    array: str = "data"
    free: bool = False
    joints: dict[str, JointColumns] = Field(min_length=1)

    @field_validator("time", mode="before")
    @classmethod
    def _column_alone(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @property
    def driven(self) -> tuple[str, ...]:
        """Joints whose command was logged."""
        return tuple(name for name, joint in self.joints.items() if joint.command is not None)


def published(joints: Sequence[str], driven: int | None = None) -> ColumnMap:
    """Return the map of logs whose joints are numbered from 1: `pos_meas1`, `vel_meas1`, `tau_con1`, `tau_meas1`."""
    columns = {
        name: {"pos": f"pos_meas{i}", "vel": f"vel_meas{i}", "command": f"tau_con{i}", "torque": f"tau_meas{i}"}
        for i, name in enumerate(joints, start=1)
    }
    for name in joints[len(joints) if driven is None else driven :]:
        columns[name] = {key: columns[name][key] for key in ("pos", "vel")}
    return ColumnMap.parse({"joints": columns})


def recorded(joints: Sequence[str], driven: Sequence[str]) -> ColumnMap:
    """Return the map of recordings whose signals `joint_pos` and `joint_vel` read all joints; commands are as sent."""
    columns = {name: {"pos": f"joint_pos[{i}]", "vel": f"joint_vel[{i}]"} for i, name in enumerate(joints)}
    for name in driven:
        columns[name]["command"] = f"sent/{name}"
    return ColumnMap.parse({"joints": columns})


def ordered(columns: ColumnMap, joints: Sequence[str], driven: Sequence[str], source: str = "columns") -> ColumnMap:
    """Return the map with its joints in the robot's order; raises `ConfigError` for an unknown or a missing joint.

    Every driven joint needs a command unless the log is of free motion.
    """
    for name in columns.joints:
        if name not in joints:
            raise ConfigError(f"{source}: the robot has no joint '{name}'; {nearest(name, tuple(joints))}")
    for name in joints:
        if name not in columns.joints:
            raise ConfigError(f"{source}: joint '{name}' has no columns; mapped: {', '.join(columns.joints)}")
        if name in driven and columns.joints[name].command is None and not columns.free:
            raise ConfigError(
                f"{source}: joint '{name}' is driven and has no 'command'; for free motion say 'free: true'"
            )
    return columns.model_copy(update={"joints": {name: columns.joints[name] for name in joints}})
