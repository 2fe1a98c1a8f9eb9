"""The torque a real drive makes of a command, joint by joint: pure functions and the record of their parameters.

Everything an engine cannot do stably (PyBullet's joint damping is explicit) or at all (gain, delay, dead band,
torque–speed line, backlash) is here, the same for all of them; `actuator_bank` runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import tanh

COULOMB_VEL = 0.05
"""Joint velocity [rad/s] at which dry friction reaches tanh(1) = 76 % of its value: smooth, so no chatter at rest."""

NO_SPEED_LIMIT = 1e4
"""No-load speed [rad/s] of a drive whose torque does not fall with speed."""

ROTOR_INERTIA = 1e-3
"""Reflected inertia [kg·m²] with which a rotor crosses its backlash where none is modelled."""


@dataclass(slots=True)
class Actuator:
    """One joint's drive; torques in N·m, times in s, angles in rad.

    `gain` multiplies the commanded torque and carries the sign of the wiring; `strength` multiplies what comes out, its
    limit included (0: a dead joint). `speed_limit` is the no-load speed of the torque–speed line [rad/s], `backlash`
    the whole play, `encoder_offset` what the encoder reads too much, `load_friction` what its gear adds to dry friction
    for each N·m of the motor; `locked` above 0.5 is a jammed joint.
    """

    torque_limit: float
    gain: float = 1.0
    strength: float = 1.0
    delay: float = 0.0
    dead_band: float = 0.0
    speed_limit: float = NO_SPEED_LIMIT
    viscous: float = 0.0
    coulomb: float = 0.0
    load_friction: float = 0.0
    kp: float = 0.0
    kd: float = 0.0
    reflected_inertia: float = 0.0
    backlash: float = 0.0
    encoder_offset: float = 0.0
    locked: float = 0.0


FIELDS = tuple(field.name for field in fields(Actuator))


def pd_torque(command: float, joint_pos: float, joint_vel: float, kp: float, kd: float) -> float:
    """Return what a position drive asks for [N·m], told `command` [rad]."""
    return kp * (command - joint_pos) - kd * joint_vel


def motor_torque(command: float, gain: float, dead_band: float, torque_limit: float) -> float:
    """Return the torque [N·m] of a motor told `command` [N·m]: nothing inside the dead band, saturated outside."""
    if -dead_band < command < dead_band:
        return 0.0
    torque = gain * command
    return torque_limit if torque > torque_limit else -torque_limit if torque < -torque_limit else torque


def speed_limited(torque: float, joint_vel: float, torque_limit: float, speed_limit: float) -> float:
    """Return the torque [N·m] that the torque–speed line leaves: `torque_limit` at stall, none at `speed_limit`.

    It bounds torque along the motion only; a motor brakes with its full torque.
    """
    if torque * joint_vel <= 0.0:
        return torque
    left = max(0.0, torque_limit * (1.0 - abs(joint_vel) / speed_limit))
    return min(max(torque, -left), left)


def supply_load(torques: Sequence[float], torque_limits: Sequence[float]) -> float:
    """Return how heavily the motors load their supply: 0 idle, 1 when all give their limit."""
    full = sum(torque_limits)
    return sum(map(abs, torques)) / full if full > 0.0 else 0.0


def loaded_friction(coulomb: float, load_friction: float, motor_torque: float) -> float:
    """Return the dry friction [N·m] of a gear that carries this torque: pressed teeth rub more, in both directions."""
    return coulomb + load_friction * abs(motor_torque)


def friction_torque(joint_vel: float, viscous: float, coulomb: float) -> float:
    """Return the friction torque [N·m], opposing `joint_vel` [rad/s]."""
    return -viscous * joint_vel - coulomb * tanh(joint_vel / COULOMB_VEL)


class Play:
    """Backlash: the rotor moves freely within the play and drives the joint only while it presses on a flank.

    `gap` is the rotor's angle less the joint's [rad], at first in the middle. The joint's own motion while the rotor
    crosses is neglected, and the impact at the flank is plastic.
    """

    __slots__ = ("_vel", "gap")

    def __init__(self) -> None:
        self.gap = self._vel = 0.0

    def transmit(self, torque: float, backlash: float, inertia: float, dt: float) -> float:
        """Return what reaches the joint [N·m] in a step of `dt` [s] while a rotor of `inertia` feels `torque`."""
        half = backlash / 2
        if torque == 0.0 or (self.gap >= half if torque > 0.0 else self.gap <= -half):
            return torque
        self._vel += torque / (inertia or ROTOR_INERTIA) * dt
        self.gap += self._vel * dt
        if abs(self.gap) >= half:
            self.gap = half if self.gap > 0 else -half
            self._vel = 0.0
        return 0.0
