"""Everything about a simulated robot that may differ between worlds, by group, name and field.

`joint` and `signal` are records read at the start of an episode (or at `refresh`); `link` and `base` live in the
engine; `world` is both. The nominal values are those of the robot's files.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from domain_rand.parameters import Group
from robots.actuator_bank import ActuatorBank
from robots.actuators import NO_SPEED_LIMIT, Actuator
from robots.disturbances import Disturbances, Surroundings
from robots.engines import Simulator
from robots.signals import SignalModel, SignalPipe
from robots.spec import RobotSpec
from robots.view import Goal

_OUTSIDE = tuple(field.name for field in fields(Surroundings))


class Quantities:
    """Reads and writes any of them; a write changes nothing else."""

    def __init__(
        self,
        spec: RobotSpec,
        world: Simulator,
        bank: ActuatorBank,
        pipe: SignalPipe,
        outside: Disturbances,
        goal: Goal,
    ) -> None:
        self._world, self._outside = world, outside
        self._drives = dict(zip(spec.joint_names, bank.actuators, strict=True))
        self._signals = pipe.models
        self._nominal_drives = {name: replace(drive) for name, drive in self._drives.items()}
        self._nominal_signals = {signal.name: SignalModel.nominal(signal) for signal in spec.contract.signals}
        self._nominal_outside = Surroundings()
        self._goal, self._nominal_goal = goal, replace(goal)
        for name, drive in self._drives.items():
            if drive.reflected_inertia > 0:
                world.write("joint", name, "reflected_inertia", drive.reflected_inertia)

    def names(self, group: Group) -> tuple[str, ...]:
        """Names that carry a property of this group; none where the robot has no such thing."""
        if group == "joint":
            return tuple(self._drives)
        if group == "goal":
            return ("goal",)
        return tuple(self._signals) if group == "signal" else self._world.names(group)

    def nominal(self, group: Group, name: str, field: str) -> float:
        """The un-randomised value."""
        record = self._record(group, name, field, nominal=True)
        return self._world.nominal(group, name, field) if record is None else getattr(record, field)

    def write(self, group: Group, name: str, field: str, value: float) -> None:
        """Set a property; those of drives, sensors and surroundings act from the next `start` or `refresh`."""
        record = self._record(group, name, field)
        if record is not None:
            setattr(record, field, value)
        if record is None or field == "reflected_inertia":
            self._world.write(group, name, field, value)

    def read(self, group: Group, name: str, field: str) -> float:
        """Return a property as it stands."""
        record = self._record(group, name, field)
        return self._world.read(group, name, field) if record is None else getattr(record, field)

    def _record(self, group: Group, name: str, field: str, nominal: bool = False) -> Any:
        """The record that holds a property; None when the simulator does."""
        if group == "joint":
            return (self._nominal_drives if nominal else self._drives)[name]
        if group == "signal":
            return (self._nominal_signals if nominal else self._signals)[name]
        if group == "goal":
            return self._nominal_goal if nominal else self._goal
        if group == "world" and field in _OUTSIDE:
            return self._nominal_outside if nominal else self._outside.world
        return None


def nominal_drives(spec: RobotSpec) -> list[Actuator]:
    """Return the drives that the robot's files describe: the contract's joints, then the passive ones."""
    drives = []
    for joint in spec.contract.joints:
        limits = {"torque_limit": joint.torque_limit, "kp": joint.kp or 0.0, "kd": joint.kd or 0.0}
        drives.append(Actuator(**limits, **_beyond_contract(spec, joint.name)))
    return drives + [Actuator(torque_limit=0.0, **_beyond_contract(spec, name)) for name in spec.model.passive_joints]


def _beyond_contract(spec: RobotSpec, joint: str) -> dict[str, float]:
    model = spec.model.drive(joint).model_dump(exclude={"gear_ratio"})
    return {**model, "speed_limit": model["speed_limit"] or NO_SPEED_LIMIT}
