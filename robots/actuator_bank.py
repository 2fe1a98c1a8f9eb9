"""All drives of a robot, run once a physics step: from the command line to joint torques.

A drive is linear until it saturates, `a − p · pos − d · vel`, and only `a` depends on the command: it is worked out
once per command, and a physics step costs a few multiplications a joint. What a robot's drives do not have costs
nothing: of three ways to run them, `refresh` picks the cheapest that is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import tanh

from robots.actuators import (
    COULOMB_VEL,
    FIELDS,
    NO_SPEED_LIMIT,
    Actuator,
    Play,
    friction_torque,
    motor_torque,
    pd_torque,
    speed_limited,
    supply_load,
)
from robots.contract import Mode

States = Sequence[Sequence[float]]
"""Per joint: position [rad], velocity [rad/s], and whatever else the simulator reports."""


class ActuatorBank:
    """The drives of one robot, in contract joint order, passive joints last, with the command line that delays them.

    Once a control period `hold` takes the command for its physics steps; once a physics step `torque` answers the
    motion. Parameters act from the next `start` or `refresh`.
    """

    FIELDS = FIELDS

    def __init__(
        self, actuators: Sequence[Actuator], physics_dt: float, mode: Mode = "torque", driven: int | None = None
    ) -> None:
        self.actuators = list(actuators)
        self.supply_sag = 0.0
        self._physics_dt = physics_dt
        self._mode = mode
        self._driven = len(self.actuators) if driven is None else driven
        self.start([0.0] * self._driven)

    def start(self, command: Sequence[float]) -> None:
        """Begin an episode: every command still under way is `command`."""
        self._tick = 0
        self._line: list[list[float]] = []
        self._first = list(command)
        self._plays = [Play() for _ in self.actuators]
        self.refresh()

    def refresh(self) -> None:
        """Read all parameters anew; commands under way stay under way."""
        self._now = [replace(actuator) for actuator in self.actuators]
        self._sag = self.supply_sag
        delays = [round(actuator.delay / self._physics_dt) for actuator in self._now[: self._driven]]
        self._delay = delays[0] if delays else 0
        self._delays = delays if len(set(delays)) > 1 else None
        self._planned: list[float] | None = None
        friction = [(actuator.viscous, actuator.coulomb) for actuator in self._now]
        self._friction = friction if any(v or c for v, c in friction) else None
        self._laws = list(map(self._law, self._now))
        self._torques = self._choose()

    def hold(self, command: Sequence[float], physics_steps: int) -> None:
        """Give the command [contract unit] of the next `physics_steps`."""
        self._line += [list(command)] * physics_steps

    def torque(self, states: States) -> list[float]:
        """Return the joint torques [N·m] of the next physics step, at these joint states; call once a physics step."""
        due = self._tick - self._delay
        self._tick += 1
        if self._delays is not None:
            command = self._mixed(self._tick - 1, self._delays)
        else:
            command = self._line[due] if due >= 0 else self._first
        if command is not self._planned:
            self._plan(command)
        return self._torques(states)

    def _mixed(self, tick: int, delays: list[int]) -> list[float]:
        return [(self._line[tick - k] if tick >= k else self._first)[j] for j, k in enumerate(delays)]

    def _law(self, actuator: Actuator) -> tuple[float, float, float]:
        """How torque falls with position and velocity, and where it saturates."""
        factor = actuator.gain * actuator.strength
        p = factor * actuator.kp if self._mode == "position" else 0.0
        d = factor * actuator.kd if self._mode != "torque" else 0.0
        return p, d, actuator.strength * actuator.torque_limit

    def _choose(self) -> Callable[[States], list[float]]:
        closed_loop = self._mode != "torque"
        if self._sag > 0.0 or any(_is_special(actuator, closed_loop) for actuator in self._now):
            return self._special
        return self._linear if closed_loop else self._open_loop

    def _plan(self, command: list[float]) -> None:
        self._planned = command
        self._command = command + [0.0] * (len(self._now) - len(command))
        self._asked = list(map(self._ask, self._command, self._now))
        self._motors = [min(max(a, -limit), limit) for a, (_, _, limit) in zip(self._asked, self._laws, strict=True)]

    def _ask(self, command: float, actuator: Actuator) -> float:
        """The part of a drive's torque that its command alone decides [N·m]."""
        factor = actuator.gain * actuator.strength
        if self._mode == "torque":
            return 0.0 if abs(command) < actuator.dead_band else factor * command
        if self._mode == "velocity":
            return factor * actuator.kd * command
        return factor * actuator.kp * (command - actuator.encoder_offset)

    def _open_loop(self, states: States) -> list[float]:
        motors = self._motors
        if self._friction is None:
            return motors
        return [
            motor - (viscous * state[1] + coulomb * tanh(state[1] / COULOMB_VEL))
            for motor, state, (viscous, coulomb) in zip(motors, states, self._friction, strict=False)
        ]

    def _linear(self, states: States) -> list[float]:
        torques = [
            limit if (u := a - p * s[0] - d * s[1]) > limit else -limit if u < -limit else u
            for a, s, (p, d, limit) in zip(self._asked, states, self._laws, strict=False)
        ]
        if self._friction is None:
            return torques
        return [
            motor - (viscous * state[1] + coulomb * tanh(state[1] / COULOMB_VEL))
            for motor, state, (viscous, coulomb) in zip(torques, states, self._friction, strict=False)
        ]

    def _special(self, states: States) -> list[float]:
        """Every drive with everything it may have, in physical order."""
        motors = list(map(self._motor, self._command, states, self._now))
        if self._sag > 0.0:
            left = 1.0 - self._sag * supply_load(motors, [limit for _, _, limit in self._laws])
            motors = [motor * left for motor in motors]
        dt = self._physics_dt
        return [
            (play.transmit(motor, drive.backlash, drive.reflected_inertia, dt) if drive.backlash > 0.0 else motor)
            + friction_torque(state[1], drive.viscous, drive.coulomb)
            for motor, state, drive, play in zip(motors, states, self._now, self._plays, strict=True)
        ]

    def _motor(self, command: float, state: Sequence[float], drive: Actuator) -> float:
        vel = state[1]
        if self._mode == "position":
            command = pd_torque(command, state[0] + drive.encoder_offset, vel, drive.kp, drive.kd)
        elif self._mode == "velocity":
            command = drive.kd * (command - vel)
        torque = motor_torque(command, drive.gain, drive.dead_band, drive.torque_limit)
        return drive.strength * speed_limited(torque, vel, drive.torque_limit, drive.speed_limit)


def _is_special(actuator: Actuator, closed_loop: bool) -> bool:
    """Whether a drive has what the linear law leaves out."""
    late_dead_band = closed_loop and actuator.dead_band > 0.0
    return actuator.speed_limit < NO_SPEED_LIMIT or actuator.backlash > 0.0 or late_dead_band
