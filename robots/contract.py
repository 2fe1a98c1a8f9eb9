"""The contract: what a robot senses, what it can be told, and within which limits. Made once, carried everywhere.

The environment is built from it, the bundle stores it, the runtime drives the robot with it. Needs NumPy only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from domain_rand.schema import Schema

Pair = tuple[float, float]


Mode = Literal["torque", "position", "velocity"]
UNITS: dict[str, str] = {"torque": "N·m", "position": "rad", "velocity": "rad/s"}


class Joint(Schema):
    """One actuated joint, in radians (prismatic: metres) and newton metres (newtons).

    `kp` [N·m/rad] and `kd` [N·m·s/rad] are the drive's gains: in position mode its torque is kp · (command − pos) −
    kd · vel, in velocity mode kd · (command − vel).
    """

    name: str
    default_pos: float = 0.0
    pos_limit: Pair
    vel_limit: float = Field(gt=0)
    torque_limit: float = Field(gt=0)
    kp: float | None = Field(default=None, gt=0)
    kd: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Joint:
        low, high = self.pos_limit
        if not low < high:
            raise ValueError(f"pos_limit of {self.name}: low {low} is not below high {high}")
        if not low <= self.default_pos <= high:
            raise ValueError(f"default_pos of {self.name} = {self.default_pos} is outside pos_limit [{low}, {high}]")
        return self


class Signal(Schema):
    """One named vector the policy reads. Its imperfections are the nominal ones; worlds may differ.

    `source` is what it measures, its own name if not given: an accessor of `robots.sources`, or a command signal of the
    task. `period` [s] is the sensor's own, if longer than the control period; `quantum` the step of its readings,
    `dropout` the probability that a reading does not arrive and the last one stands.
    """

    name: str
    source: str | None = None
    size: int = Field(gt=0)
    unit: str
    frame: str = "joint"
    noise: float = Field(default=0.0, ge=0)
    bias: float = 0.0
    delay: float = Field(default=0.0, ge=0)
    quantum: float | None = Field(default=None, ge=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    period: float | None = Field(default=None, ge=0)
    low: float = -1e6
    high: float = 1e6

    @property
    def measures(self) -> str:
        """Its source: its own name where none is given."""
        return self.source or self.name

    @model_validator(mode="after")
    def _ordered(self) -> Signal:
        if not self.low < self.high:
            raise ValueError(f"range of {self.name}: low {self.low} is not below high {self.high}")
        return self


class Action(Schema):
    """How a policy output in [−1, 1] becomes a command: `offset + scale · action`, per joint, in `unit`.

    `mode` is what the drive does with a command: hold a torque, a position or a velocity. `rate_limit` is the largest
    change of a command per second; the environment applies it as the runtime does.
    """

    mode: Mode = "torque"
    unit: str = "N·m"
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    rate_limit: tuple[float, ...]

    @model_validator(mode="before")
    @classmethod
    def _unit_of_the_mode(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "unit" not in data and data.get("mode") in UNITS:
            return {**data, "unit": UNITS[data["mode"]]}
        return data

    @model_validator(mode="after")
    def _positive(self) -> Action:
        if any(value <= 0 for value in (*self.scale, *self.rate_limit)):
            raise ValueError("scale and rate_limit must be positive")
        return self

    def normalized(self, command: Sequence[float]) -> list[float]:
        """Return a command in joint order as the policy output that asks for it."""
        return [(c - o) / s for c, o, s in zip(command, self.offset, self.scale, strict=True)]


class Contract(Schema):
    """Joints, signals and action of one robot, in fixed order and addressed by name."""

    robot: str
    control_dt: float = Field(gt=0, description="seconds between commands")
    joints: tuple[Joint, ...] = Field(min_length=1)
    signals: tuple[Signal, ...] = Field(min_length=1)
    action: Action
    needs_reward: bool = False

    @model_validator(mode="after")
    def _matched(self) -> Contract:
        n = len(self.joints)
        for key in ("scale", "offset", "rate_limit"):
            if len(getattr(self.action, key)) != n:
                raise ValueError(f"action.{key} has {len(getattr(self.action, key))} entries for {n} joints")
        for what, names in (("joint", self.joint_names), ("signal", self.signal_names)):
            if len(set(names)) != len(names):
                raise ValueError(f"two {what}s share a name: {', '.join(names)}")
        for joint, (low, high) in zip(self.joints, self.command_limits, strict=True):
            if not low < high:
                limit = {"torque": "torque_limit", "position": "pos_limit", "velocity": "vel_limit"}[self.action.mode]
                raise ValueError(f"{joint.name}: offset and scale ask for {low} and more, {limit} allows {high}")
        return self

    @model_validator(mode="after")
    def _gains(self) -> Contract:
        needed = {"torque": (), "position": ("kp", "kd"), "velocity": ("kd",)}[self.action.mode]
        for joint in self.joints:
            for gain in needed:
                if getattr(joint, gain) is None:
                    raise ValueError(f"{joint.name}: action.mode {self.action.mode} needs {gain}")
        return self

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def signal_names(self) -> tuple[str, ...]:
        return tuple(signal.name for signal in self.signals)

    @cached_property
    def obs_size(self) -> int:
        return sum(signal.size for signal in self.signals)

    @cached_property
    def signal_slices(self) -> dict[str, slice]:
        """Where each signal sits in the observation vector."""
        ends = np.cumsum([signal.size for signal in self.signals]).tolist()
        return {s.name: slice(end - s.size, end) for s, end in zip(self.signals, ends, strict=True)}

    @cached_property
    def command_limits(self) -> tuple[Pair, ...]:
        """Lowest and highest command per joint: the policy's range, cut to what joint and motor can do."""
        return tuple(
            (max(offset - scale, low), min(offset + scale, high))
            for (low, high), scale, offset in zip(self._bounds, self.action.scale, self.action.offset, strict=True)
        )

    @property
    def _bounds(self) -> tuple[Pair, ...]:
        match self.action.mode:
            case "torque":
                return tuple((-joint.torque_limit, joint.torque_limit) for joint in self.joints)
            case "position":
                return tuple(joint.pos_limit for joint in self.joints)
            case "velocity":
                return tuple((-joint.vel_limit, joint.vel_limit) for joint in self.joints)

    @cached_property
    def max_command_change(self) -> tuple[float, ...]:
        """Largest change of each joint's command in one control period."""
        return tuple(rate * self.control_dt for rate in self.action.rate_limit)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole contract: two sides that agree on it agree on every name, unit and limit.

        What a robot does not use (None) is left out, so that its fingerprint outlives fields added for other robots.
        """
        used = self.model_dump(mode="json", exclude_none=True)
        return hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()
