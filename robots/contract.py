"""The contract: what a robot senses, what it can be told, and within which limits. Made once, carried everywhere.

The environment is built from it, the bundle stores it, the runtime drives the robot with it. Needs NumPy only.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from domain_rand.schema import Schema

Pair = tuple[float, float]


class Joint(Schema):
    """One actuated joint, in radians (prismatic: metres) and newton metres (newtons)."""

    name: str
    default_pos: float = 0.0
    pos_limit: Pair
    vel_limit: float = Field(gt=0)
    torque_limit: float = Field(gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Joint:
        low, high = self.pos_limit
        if not low < high:
            raise ValueError(f"pos_limit of {self.name}: low {low} is not below high {high}")
        if not low <= self.default_pos <= high:
            raise ValueError(f"default_pos of {self.name} = {self.default_pos} is outside pos_limit [{low}, {high}]")
        return self


class Signal(Schema):
    """One named vector the policy reads. Its noise and delay are the nominal ones; worlds may differ."""

    name: str
    size: int = Field(gt=0)
    unit: str
    frame: str = "joint"
    noise: float = Field(default=0.0, ge=0)
    bias: float = 0.0
    delay: float = Field(default=0.0, ge=0)
    low: float = -1e6
    high: float = 1e6

    @model_validator(mode="after")
    def _ordered(self) -> Signal:
        if not self.low < self.high:
            raise ValueError(f"range of {self.name}: low {self.low} is not below high {self.high}")
        return self


class Action(Schema):
    """How a policy output in [−1, 1] becomes a command: `offset + scale · action`, per joint, in `unit`.

    `rate_limit` is the largest change of a command per second; the environment applies it as the runtime does.
    """

    mode: Literal["torque"] = "torque"
    unit: str = "N·m"
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    rate_limit: tuple[float, ...]

    @model_validator(mode="after")
    def _positive(self) -> Action:
        if any(value <= 0 for value in (*self.scale, *self.rate_limit)):
            raise ValueError("scale and rate_limit must be positive")
        return self


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
                raise ValueError(f"{joint.name}: offset and scale ask for {low} and more, torque_limit allows {high}")
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
        """Lowest and highest command per joint: the policy's range, cut to what the motor can do."""
        return tuple(
            (max(offset - scale, -joint.torque_limit), min(offset + scale, joint.torque_limit))
            for joint, scale, offset in zip(self.joints, self.action.scale, self.action.offset, strict=True)
        )

    @cached_property
    def max_command_change(self) -> tuple[float, ...]:
        """Largest change of each joint's command in one control period."""
        return tuple(rate * self.control_dt for rate in self.action.rate_limit)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole contract: two sides that agree on it agree on every name, unit and limit."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()
