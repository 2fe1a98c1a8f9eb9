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
    """One joint's drive, in SI units (torques in N·m, `delay` in s, `viscous` in N·m·s/rad); `gain` carries the sign."""

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
    """The drives of one robot, in contract joint order, with the command line that delays them."""

    FIELDS = tuple(field.name for field in fields(Actuator))

    def __init__(self, actuators: Sequence[Actuator], physics_dt: float) -> None:
        self.actuators = list(actuators)
        self._physics_dt = physics_dt
        self.start([0.0] * len(self.actuators))

    def start(self, command: Sequence[float]) -> None:
        """Begin an episode: every command still under way is `command`, and parameters are read anew."""
        self._delays = [round(actuator.delay / self._physics_dt) for actuator in self.actuators]
        longest = max(self._delays)
        self._sent = [list(command)] * (longest + 1)
        self._constants = [
            (self._sent_index(delay, longest), a.gain, a.dead_band, a.torque_limit, a.viscous, a.coulomb)
            for a, delay in zip(self.actuators, self._delays, strict=True)
        ]

    def torque(self, command: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
        """Advance by one physics step and return the joint torques [N·m] for `command` given now."""
        sent = self._sent
        del sent[0]
        sent.append(command)  # type: ignore[arg-type]
        return [
            motor_torque(sent[age][joint], gain, dead_band, limit) + friction_torque(vel, viscous, coulomb)
            for joint, (vel, (age, gain, dead_band, limit, viscous, coulomb)) in enumerate(
                zip(joint_vel, self._constants, strict=True)
            )
        ]

    @staticmethod
    def _sent_index(delay: int, longest: int) -> int:
        return longest - delay
