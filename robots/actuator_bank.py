"""All drives of a robot, run once a physics step: from the command line to joint torques.

A drive is linear until it saturates, `a − p · pos − d · vel`, and only `a` depends on the command: it is worked out
once per command, and a physics step costs a few multiplications a joint. What a robot's drives do not have costs
nothing: of five ways to run them, `refresh` picks the cheapest that is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import tanh
from typing import Any

from robots.actuators import (
    COULOMB_VEL,
    FIELDS,
    NO_SPEED_LIMIT,
    Actuator,
    Play,
    friction_torque,
    loaded_friction,
    motor_torque,
    pd_torque,
    speed_limited,
    supply_load,
)
from robots.contract import Mode
from robots.view import States

Law = tuple[float, float, float, float, float]
"""A drive's (p, d, limit, viscous, coulomb): it gives clip(a − p · pos − d · vel, ±limit), less both frictions."""


class ActuatorBank:
    """The drives of one robot, in contract joint order, passive joints last, with the command line that delays them.

    Once a control period `hold` takes the command for its physics steps; once a physics step `torque` answers the
    motion. Parameters act from the next `start` or `refresh`. Beyond the first `acting` joints no torque is ever felt.
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
        self._laws = list(map(self._law, self._now))
        self._asks = list(map(self._ask, self._now))
        self._motor_rows = [(d.strength, d.gain, d.dead_band, d.torque_limit) for d in self._now]
        self._viscous = [drive.viscous for drive in self._now]
        passive_rub = any(drive.viscous or drive.coulomb for drive in self._now[self._driven :])
        self.acting = len(self._now) if passive_rub else self._driven
        self._torques = self._choose()

    def hold(self, command: Sequence[float], physics_steps: int) -> None:
        """Give the command [contract unit] of the next `physics_steps`."""
        self._line += [list(command)] * physics_steps

    def torque(self, states: States) -> list[float]:
        """Return torques [N·m] of the first joints, those of the states, in the next physics step; call once a step."""
        tick = self._tick
        self._tick = tick + 1
        if self._delays is None:
            due = tick - self._delay
            command = self._line[due] if due >= 0 else self._first
        else:
            command = self._mixed(tick, self._delays)
        if command is not self._planned:
            self._plan(command)
        return self._torques(states)

    def _mixed(self, tick: int, delays: list[int]) -> list[float]:
        return [(self._line[tick - k] if tick >= k else self._first)[j] for j, k in enumerate(delays)]

    def _law(self, drive: Actuator) -> Law:
        factor = drive.gain * drive.strength
        p = factor * drive.kp if self._mode == "position" else 0.0
        d = 0.0 if self._mode == "torque" else factor * drive.kd
        return p, d, drive.strength * drive.torque_limit, drive.viscous, drive.coulomb

    def _ask(self, drive: Actuator) -> tuple[float, float]:
        """The line (slope, offset) from the command of a closed loop to `a` in its law."""
        p, d, *_ = self._law(drive)
        return (p, p * drive.encoder_offset) if self._mode == "position" else (d, 0.0)

    def _choose(self) -> Callable[[States], list[float]]:
        closed_loop = self._mode != "torque"
        dry = any(drive.coulomb for drive in self._now)
        rubs = dry or any(self._viscous)
        if self._sag > 0.0 or any(_is_special(drive, closed_loop) for drive in self._now):
            return self._special
        if closed_loop:
            return self._closed_loop_rubbing if rubs else self._closed_loop
        return self._open_loop_rubbing if dry else self._open_loop_viscous if rubs else self._open_loop

    def _plan(self, command: list[float]) -> None:
        """Work out what a command alone decides; passive joints are told nothing."""
        self._planned = command
        if len(command) < len(self._now):
            command = command + [0.0] * (len(self._now) - len(command))
        self._command = command
        if self._mode == "torque":
            told = zip(command, self._motor_rows, strict=True)
            self._motors = [s * motor_torque(c, gain, band, limit) for c, (s, gain, band, limit) in told]
        else:
            self._asked = [slope * c - offset for (slope, offset), c in zip(self._asks, command, strict=True)]

    def _open_loop(self, states: States) -> list[float]:
        return self._motors[: len(states)]

    def _open_loop_viscous(self, states: States) -> list[float]:
        rows = zip(self._motors, self._viscous, states, strict=False)
        return [motor - viscous * state[1] for motor, viscous, state in rows]

    def _open_loop_rubbing(self, states: States) -> list[float]:
        return [
            motor - (viscous * s[1] + coulomb * tanh(s[1] / COULOMB_VEL))
            for motor, s, (_, _, _, viscous, coulomb) in zip(self._motors, states, self._laws, strict=False)
        ]

    # Plain loops: a comprehension that has to name its torque is a quarter slower.

    def _closed_loop(self, states: States) -> list[float]:
        torques = []
        for a, (p, d, limit, _, _), (pos, vel, _, _) in zip(self._asked, self._laws, states, strict=False):
            torque = a - p * pos - d * vel
            torques.append(limit if torque > limit else -limit if torque < -limit else torque)
        return torques

    def _closed_loop_rubbing(self, states: States) -> list[float]:
        torques = []
        for a, (p, d, limit, viscous, coulomb), (pos, vel, _, _) in zip(self._asked, self._laws, states, strict=False):
            torque = a - p * pos - d * vel
            if torque > limit:
                torque = limit
            elif torque < -limit:
                torque = -limit
            torques.append(torque - viscous * vel - coulomb * tanh(vel / COULOMB_VEL))
        return torques

    def _special(self, states: States) -> list[float]:
        """Every drive with everything it may have, in physical order."""
        motors = list(map(self._motor, self._command, states, self._now))
        if self._sag > 0.0:
            left = 1.0 - self._sag * supply_load(motors, [law[2] for law in self._laws])
            motors = [motor * left for motor in motors]
        dt = self._physics_dt
        return [
            (play.transmit(motor, drive.backlash, drive.reflected_inertia, dt) if drive.backlash > 0.0 else motor)
            + friction_torque(state[1], drive.viscous, loaded_friction(drive.coulomb, drive.load_friction, motor))
            for motor, state, drive, play in zip(motors, states, self._now, self._plays, strict=False)
        ]

    def _motor(self, command: float, state: tuple[float, float, Any, Any], drive: Actuator) -> float:
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
    uneven = actuator.speed_limit < NO_SPEED_LIMIT or actuator.load_friction > 0.0
    return uneven or actuator.backlash > 0.0 or late_dead_band
