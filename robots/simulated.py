"""A simulated robot: PyBullet world, actuators and sensors, stepped through its contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from domain_rand.parameters import Group
from robots.actuators import Actuator, ActuatorBank
from robots.bullet import BulletWorld
from robots.contract import Contract
from robots.safety import Limiter
from robots.signals import SignalModel, SignalPipe
from robots.spec import RobotSpec, urdf_path

Effect = Callable[[float, Sequence[float], Sequence[float]], list[float]]
"""An unmodelled torque per joint [N·m] at (time since episode start [s], joint_pos [rad], joint_vel [rad/s])."""


class SimulatedRobot:
    """The robot as its driver sees it: command in, signals out; and as the randomiser sees it: named quantities."""

    def __init__(self, spec: RobotSpec, effect: Effect | None = None) -> None:
        self.contract: Contract = spec.contract
        self._spec = spec
        self._effect = effect
        self._physics_steps = spec.physics_steps
        self.world = BulletWorld(urdf_path(spec), spec.model, self.contract.joint_names)
        self.limiter = Limiter(self.contract)
        actuators = [Actuator(joint.torque_limit) for joint in self.contract.joints]
        self.bank = ActuatorBank(actuators, spec.model.physics_dt, spec.physics_steps)
        self.pipe = SignalPipe(self.contract)
        self._nominal_actuator = Actuator(0.0)
        self._defaults = [joint.default_pos for joint in self.contract.joints]
        self._order = self.contract.signal_names

    def start(self, joint_offset: Sequence[float], rng: np.random.Generator, horizon: int) -> None:
        """Begin an episode at rest, `joint_offset` [rad] from the default pose; no reload."""
        pose = [default + offset for default, offset in zip(self._defaults, joint_offset, strict=True)]
        self.world.reset(pose, [0.0] * len(pose))
        self.limiter.reset()
        self.bank.start(self.limiter.last)
        self.pipe.start(rng, horizon)
        self.time = 0.0

    def step(self, command: Sequence[float]) -> list[float]:
        """Hold a command [contract unit] for one control period; returns what was sent after clamping.

        Raises `UnsafeCommand` when the command is not finite.
        """
        sent = self.limiter(command)
        world, torque = self.world, self.bank.torque
        self.bank.hold(sent)
        if self._effect is None:
            for _ in range(self._physics_steps):
                world.step(torque(world.joint_vel))
        else:
            self._step_with_effect(self._effect)
        self.time += self.contract.control_dt
        return sent

    def _step_with_effect(self, effect: Effect) -> None:
        world, dt = self.world, self._spec.model.physics_dt
        for substep in range(self._physics_steps):
            extra = effect(self.time + substep * dt, world.joint_pos, world.joint_vel)
            torques = self.bank.torque(world.joint_vel)
            world.step([a + b for a, b in zip(torques, extra, strict=True)])

    def observe(self, command_signals: dict[str, list[float]]) -> np.ndarray:
        """Return the sensed signals as one float32 vector in contract order; call once a control period."""
        truth = {"joint_pos": self.world.joint_pos, "joint_vel": self.world.joint_vel, **command_signals}
        return self.pipe.observe([value for name in self._order for value in truth[name]])

    def names(self, group: Group) -> tuple[str, ...]:
        """Names that carry a property of this group."""
        if group == "joint":
            return self.contract.joint_names
        return tuple(self.pipe.models) if group == "signal" else self.world.names(group)

    def nominal(self, group: Group, name: str, field: str) -> float:
        """The un-randomised value."""
        if group == "joint":
            joint = self.contract.joints[self.contract.joint_names.index(name)]
            return joint.torque_limit if field == "torque_limit" else getattr(self._nominal_actuator, field)
        if group == "signal":
            return getattr(self.contract.signals[self.contract.signal_names.index(name)], field)
        return self.world.nominal(group, name, field)

    def write(self, group: Group, name: str, field: str, value: float) -> None:
        """Set a property; actuator and sensor values act from the next `start`."""
        record = self._record(group, name)
        if record is None:
            self.world.write(group, name, field, value)
        else:
            setattr(record, field, value)

    def read(self, group: Group, name: str, field: str) -> float:
        """Return a property as it stands."""
        record = self._record(group, name)
        return self.world.read(group, name, field) if record is None else getattr(record, field)

    def _record(self, group: Group, name: str) -> Actuator | SignalModel | None:
        if group == "joint":
            return self.bank.actuators[self.contract.joint_names.index(name)]
        return self.pipe.models[name] if group == "signal" else None

    def close(self) -> None:
        """Release the simulator."""
        self.world.close()
