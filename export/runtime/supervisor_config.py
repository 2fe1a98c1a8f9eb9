"""Every threshold of the supervisor, with its unit; what is not set follows from the robot's contract and pace."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log10, pi, sqrt
from typing import Any

from pydantic import Field, model_validator

from domain_rand.schema import ConfigError, Schema, nearest
from export.runtime.guards import STUCK_MEMORY, joint_columns, tilt_signal
from robots.contract import Contract, Pair, Signal
from robots.safety import safe_command


class Share(Schema):
    """So many of the last so many ticks."""

    count: int = Field(ge=1, le=1000)
    of: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _possible(self) -> Share:
        if self.count > self.of:
            raise ValueError(f"{self.count} of {self.of} can never be reached")
        return self


class SupervisorConfig(Schema):
    """What the supervisor does when, complete; null switches a guard off, and so does leaving a joint or signal out."""

    ramp_time: float = Field(ge=0, le=60, description="s from arming to full authority; 0: at once")
    soft_stop_time: float = Field(ge=0, le=60, description="s from a stop request to the safe command; 0: at once")
    hold_on_fault: bool = Field(default=False, description="stay with the robot, sending the safe command, until armed")
    refusals: Share = Field(description="readings or commands refused: a fault")
    stale_time: float = Field(default=0.1, ge=0, description="s without a newer reading: a fault")
    max_gap: float = Field(default=0.5, gt=0, description="s between two readings within an episode")
    missed_deadlines: Share | None = Field(description="control periods without their command in time: a fault")
    position: dict[str, Pair | None] = Field(description="rad or m per joint: measured outside is a fault")
    velocity: dict[str, Pair | None] = Field(description="rad/s or m/s per joint: likewise")
    limit_time: float = Field(default=0.06, ge=0, description="s outside of position, velocity, workspace or tilt")
    workspace: dict[str, Pair | None] = Field(default={}, description="rad or m per joint: a box for this place")
    tilt: float | None = Field(default=None, gt=0, le=pi, description="rad that the base may lean")
    frozen: dict[str, float | None] = Field(description="s per noisy signal: bit for bit the same is a fault")
    stuck: dict[str, float | None] = Field(
        description="rad or m per joint: motion by its velocity under a position that stays the same"
    )

    @classmethod
    def of(
        cls,
        contract: Contract,
        pace: str = "realtime",
        overrides: Mapping[str, Any] | None = None,
        source: str = "safety",
    ) -> SupervisorConfig:
        """Return the defaults for a contract and a pace with `overrides` on top; raises `ConfigError`.

        A robot in lockstep is a simulated one that waits, and its task says when an episode ends: no ramps there, no
        deadlines and no limits on its motion, unless asked for.
        """
        data = _defaults(contract, pace)
        for key, value in (overrides or {}).items():
            merge = isinstance(value, Mapping) and isinstance(data.get(key), Mapping)
            data[key] = {**data[key], **value} if merge else value
        config = cls.parse(data, source)
        _check_names(config, contract, source)
        return config


def _defaults(contract: Contract, pace: str) -> dict[str, Any]:
    waits = pace == "lockstep"
    pos, vel = joint_columns(contract, "joint_pos"), joint_columns(contract, "joint_vel")
    signals = {signal.name: signal for signal in contract.signals}
    joints = {joint.name: joint for joint in contract.joints}
    moved = () if waits else contract.joint_names
    return {
        "ramp_time": 0.0 if waits else 0.5,
        "soft_stop_time": 0.0 if waits else max(0.5, _time_to_safety(contract)),
        "refusals": {"count": 10, "of": 20},
        "missed_deadlines": None if waits else {"count": 20, "of": 50},
        "position": {n: _widened(joints[n].pos_limit, 0.05, signals[pos[n][0]]) for n in moved if n in pos},
        "velocity": {n: _widened(_both(joints[n].vel_limit), 0.5, signals[vel[n][0]]) for n in moved if n in vel},
        "tilt": 1.2 if tilt_signal(contract) and not waits else None,
        "frozen": {s.name: _frozen_time(s, contract.control_dt) for s in contract.signals if _always_changes(s)},
        "stuck": {
            name: _travel(joints[name].pos_limit, signals[pos[name][0]], signals[vel[name][0]], contract.control_dt)
            for name in pos
            if name in vel
        },
    }


def _both(limit: float) -> Pair:
    return -limit, limit


def _widened(limits: Pair, share: float, signal: Signal) -> Pair:
    """A share of the half range beyond the limits, and six standard deviations of the sensor's noise."""
    low, high = limits
    margin = share * (high - low) / 2 + 6 * signal.noise + abs(signal.bias)
    return low - margin, high + margin


def _time_to_safety(contract: Contract) -> float:
    """The longest way of a command to the safe one at its rate limit [s], in whole periods."""
    ways = zip(safe_command(contract), contract.command_limits, contract.max_command_change, strict=True)
    periods = max(ceil(max(safe - low, high - safe) / change) for safe, (low, high), change in ways)
    return min(60.0, (periods + 1) * contract.control_dt)


def _always_changes(signal: Signal) -> bool:
    """Whether noise alone makes every reading differ from the one before."""
    return signal.noise > 0 and not signal.quantum


def _frozen_time(signal: Signal, control_dt: float) -> float:
    """Half a second, or what a slow sensor or one that loses readings repeats by itself once in 10⁹ readings."""
    periods = max(1, ceil((signal.period or 0.0) / control_dt))
    repeats = ceil(9 / -log10(signal.dropout)) if signal.dropout else 0
    return max(0.5, periods * (repeats + 2) * control_dt)


def _travel(limits: Pair, pos: Signal, vel: Signal, control_dt: float) -> float:
    """2 % of the range and five steps of the encoder, beyond what the velocity's errors seem to move at rest."""
    errors = 6 * vel.noise * sqrt(control_dt * STUCK_MEMORY / 2) + abs(vel.bias) * STUCK_MEMORY
    return round(0.02 * (limits[1] - limits[0]) + 5 * (pos.quantum or 0.0) + errors, 6)


def _check_names(config: SupervisorConfig, contract: Contract, source: str) -> None:
    """Raise `ConfigError` for a guard on something that no signal measures."""
    pos, vel = joint_columns(contract, "joint_pos"), joint_columns(contract, "joint_vel")
    both = {name: pos[name] for name in pos if name in vel}
    measured = {"position": pos, "workspace": pos, "velocity": vel, "stuck": both, "frozen": contract.signal_names}
    for key, valid in measured.items():
        for name in getattr(config, key):
            if name not in valid:
                raise ConfigError(f"{source}: {key} of '{name}', which is not measured; {nearest(name, tuple(valid))}")
    for key in ("position", "velocity", "workspace"):
        for name, limits in getattr(config, key).items():
            if limits and not limits[0] < limits[1]:
                raise ConfigError(f"{source}: {key}.{name} is {list(limits)}; low has to be below high")
    if config.tilt is not None and tilt_signal(contract) is None:
        raise ConfigError(f"{source}: tilt needs a signal projected_gravity or base_quat_xyzw; the contract has none")
