"""The torque a real motor makes of a command: sign and gain, age, dead band, saturation, friction.

Everything PyBullet cannot do stably (its joint damping is explicit) or at all (gain, delay, dead band) is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import tanh

COULOMB_VEL = 0.05
"""Joint velocity [rad/s] at which dry friction reaches tanh(1) = 76 % of its value: smooth, so no chatter at rest."""


@dataclass(slots=True)
class Actuator:
    """One joint's drive: torques in N·m, `delay` in s, `viscous` in N·m·s/rad; `gain` carries the sign."""

    torque_limit: float
    gain: float = 1.0
    delay: float = 0.0
    dead_band: float = 0.0
    viscous: float = 0.0
    coulomb: float = 0.0


def motor_torque(command: float, gain: float, dead_band: float, torque_limit: float) -> float:
    """Return the torque [N·m] of a motor told `command` [N·m]: nothing inside the dead band, saturated outside."""
    if -dead_band < command < dead_band:
        return 0.0
    return min(max(gain * command, -torque_limit), torque_limit)


def friction_torque(joint_vel: float, viscous: float, coulomb: float) -> float:
    """Return the friction torque [N·m], opposing `joint_vel` [rad/s]."""
    return -viscous * joint_vel - coulomb * tanh(joint_vel / COULOMB_VEL)


class ActuatorBank:
    """The drives of one robot, in contract joint order, with the command line that delays them.

    Once a control period `hold` takes the command and works out what each physics step of the period will ask of the
    motors; once a physics step `torque` adds what depends on the motion.
    """

    FIELDS = tuple(field.name for field in fields(Actuator))

    def __init__(self, actuators: Sequence[Actuator], physics_dt: float, physics_steps: int) -> None:
        self.actuators = list(actuators)
        self._physics_dt, self._physics_steps = physics_dt, physics_steps
        self.start([0.0] * len(self.actuators))

    def start(self, command: Sequence[float]) -> None:
        """Begin an episode: every command still under way is `command`, and parameters are read anew."""
        self._delays = [round(actuator.delay / self._physics_dt) for actuator in self.actuators]
        self._friction = [(actuator.viscous, actuator.coulomb) for actuator in self.actuators]
        self._motor = [(actuator.gain, actuator.dead_band, actuator.torque_limit) for actuator in self.actuators]
        self._line = [[motor] * delay for motor, delay in zip(self._motors(command), self._delays, strict=True)]

    def hold(self, command: Sequence[float]) -> None:
        """Give the command [N·m] of the control period that begins now."""
        steps = self._physics_steps
        for line, motor in zip(self._line, self._motors(command), strict=True):
            line.extend([motor] * steps)
        self._due = iter(list(zip(*[line[:steps] for line in self._line], strict=True)))
        self._line = [line[steps:] for line in self._line]

    def torque(self, joint_vel: Sequence[float]) -> list[float]:
        """Return the joint torques [N·m] of the next physics step, at `joint_vel` [rad/s]; call once a physics step."""
        return [
            motor + friction_torque(vel, viscous, coulomb)
            for motor, vel, (viscous, coulomb) in zip(next(self._due), joint_vel, self._friction, strict=True)
        ]

    def _motors(self, command: Sequence[float]) -> list[float]:
        return [motor_torque(c, *constants) for c, constants in zip(command, self._motor, strict=True)]
