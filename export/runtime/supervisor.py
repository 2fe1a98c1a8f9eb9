"""Who has the last word on a robot: disabled → ramp → active → soft stop, or a fault that only arming leaves.

Between the policy's answer and the driver, once in every control period. Whatever a reading, a policy or a monitor
says, `decide` returns a command inside the contract's limits and rate, or None: take the safe command, at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from time import monotonic
from typing import Any, NamedTuple

from export.runtime.guards import (
    Monitor,
    Recent,
    Verdict,
    joint_columns,
    leaps,
    ordered,
    runs_backwards,
    single_precision,
    stale,
    wrongly_sent,
)
from export.runtime.supervisor_config import SupervisorConfig
from export.runtime.value_checks import ValueChecks
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.safety import Limiter, safe_command


class State(StrEnum):
    """What the supervisor lets through.

    DISABLED and FAULT: only the safe command. RAMP: the policy's, with authority growing from zero. ACTIVE: the
    policy's. FALLBACK: the monitor's. SOFT_STOP: the way from the last command to the safe one.
    """

    DISABLED = "disabled"
    RAMP = "ramp"
    ACTIVE = "active"
    FALLBACK = "fallback"
    SOFT_STOP = "soft stop"
    FAULT = "fault"


DRIVEN = (State.RAMP, State.ACTIVE, State.FALLBACK)


class Change(NamedTuple):
    """A state that began when `tick` readings had been looked at, and why."""

    state: State
    tick: int
    reason: str

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        return {"state": self.state.value, "tick": self.tick, "reason": self.reason}


class Supervisor:
    """One robot's supervisor, disabled until armed; `history` holds every change of state, oldest first.

    In each control period: `look` at the reading; if `driven`, ask the policy; `decide` what to write; `confirm` what
    was sent. `stop` may be called from a signal handler or another thread, everything else from the loop's own.
    """

    def __init__(self, contract: Contract, config: SupervisorConfig, monitor: Monitor | None = None) -> None:
        self.config = config
        self.ticks = 0
        self.state = State.DISABLED
        self.history = [Change(State.DISABLED, 0, "not armed yet")]
        self._names, self._limits = contract.joint_names, contract.command_limits
        self._sendable = single_precision(self._limits)
        self._dt = contract.control_dt
        self._monitor = monitor
        self._safe = safe_command(contract)
        self._limiter = Limiter(contract)
        self._measured = joint_columns(contract, "joint_pos") if contract.action.mode == "position" else {}
        self._ramp_ticks, self._stop_ticks = _ticks(config.ramp_time, self._dt), _ticks(config.soft_stop_time, self._dt)
        self._checks = ValueChecks(contract, config)
        self._refusals = Recent(config.refusals.count, config.refusals.of)
        missed = config.missed_deadlines
        self._missed = Recent(missed.count, missed.of) if missed else None
        self.refused: str | None = None
        self._base: list[float] | None = self._safe
        self._from = self._safe
        self._before: Reading | None = None
        self._stop_reason: str | None = None
        self._stop_began = 0.0
        self._step = self._stale = 0

    @property
    def reason(self) -> str:
        """Why the present state began."""
        return self.history[-1].reason

    @property
    def driven(self) -> bool:
        """Whether the policy is to be asked."""
        return self.state in DRIVEN

    def arm(self, reason: str = "armed") -> None:
        """Begin the ramp, from rest or out of a fault; in any other state nothing changes. Forgets a stop request."""
        if self.state not in (State.DISABLED, State.FAULT):
            return
        self._stop_reason = None
        self._before = None
        self._stale = 0
        self._refusals.reset()
        if self._missed:
            self._missed.reset()
        self._checks.reset()
        self._limiter.reset()
        self._begin_ramp(reason, None)

    def stop(self, reason: str = "stopped by the operator") -> None:
        """Ask for a soft stop; the loop begins it before its next reading."""
        self._stop_reason = self._stop_reason or reason

    def settle(self) -> str | None:
        """Act on a stop request; returns its reason once there is nothing left to ramp down, else None."""
        if self._stop_reason is None:
            return None
        if self.driven and self._stop_ticks:
            self._from, self._step, self._stop_began = self._limiter.last, 0, monotonic()
            self._enter(State.SOFT_STOP, self._stop_reason)
        if self.state is State.SOFT_STOP:
            return None
        self.disable(self._stop_reason)
        return self._stop_reason

    def disable(self, reason: str) -> None:
        """Leave every state but a fault; from now on only the safe command."""
        if self.state not in (State.DISABLED, State.FAULT):
            self._enter(State.DISABLED, reason)

    def fault(self, reason: str) -> None:
        """Latch a fault; the first one stands until `arm`."""
        if self.state is not State.FAULT:
            self._enter(State.FAULT, reason)

    def look(self, reading: Reading) -> str | None:
        """Take in a reading before the policy does; returns why the policy must not see it, if so."""
        self.ticks += 1
        if self.state in (State.DISABLED, State.FAULT):
            return None
        start = reading.episode_start or reading.trial_start
        if start:
            self._limiter.reset()
            self._from = self._limiter.last
        before, self._before = self._before, reading
        if before is not None and (old := self._judge_clock(before, reading, start)):
            return old
        self._stale = 0
        if self.state is State.RAMP and self._base is None:
            self._base = self._start_of_ramp(reading.signals)
            return None if self._base else "the measured pose, where the ramp begins, cannot be read"
        return None

    def decide(
        self, reading: Reading, requested: Mapping[str, float] | None, refused: str | None
    ) -> list[float] | None:
        """Return what to write, in joint order, or None: the driver's safe command, at once.

        `requested` is the policy's answer; None with the reason in `refused` when it gave none. Sets `self.refused`:
        why this tick went without the policy's command, if it did.
        """
        self.refused, wanted = refused, None
        if self.driven:
            wanted = None if requested is None or refused else ordered(requested, self._names)
            if wanted is None:
                self.refused = refused or f"the policy commands {requested}"
            self._count_refusal()
        if self.refused is None and self.state not in (State.DISABLED, State.FAULT):
            wrong = self._checks.check(reading.signals)
            if wrong:
                self.fault(wrong)
        if self.driven:
            return self._drive(reading, wanted)
        self.refused = self.refused or self.reason
        return self._ramp_down() if self.state is State.SOFT_STOP else None

    def confirm(self, sent: Mapping[str, float], missed: int) -> bool:
        """Take in what was sent and how many periods went without a command; returns whether `sent` makes sense."""
        wrong = wrongly_sent(sent, self._names, self._sendable)
        if wrong:
            self.fault(wrong)
        else:
            self._limiter.last = [sent[name] for name in self._names]
        if self._missed and self.driven:
            self._count_deadlines(self._missed, missed)
        return wrong is None

    def _count_deadlines(self, recent: Recent, missed: int) -> None:
        share = self.config.missed_deadlines
        assert share is not None
        if any(recent.add(missed > 0) for _ in range(min(missed, share.of) or 1)):
            self.fault(f"{share.count} of the last {share.of} periods went without their command in time")

    def _count_refusal(self) -> None:
        if self._refusals.add(self.refused is not None):
            share = self.config.refusals
            self.fault(f"{share.count} refusals among the last {share.of} readings, the last: {self.refused}")

    def _judge_clock(self, before: Reading, reading: Reading, start: bool) -> str | None:
        broken = runs_backwards(before, reading)
        old = None if broken else stale(before, reading)
        if not (broken or old or start):
            broken = leaps(before, reading, self.config.max_gap, self._dt)
        if broken:
            self.fault(broken)
        elif old:
            self._stale += 1
            if self._stale * self._dt >= self.config.stale_time:
                self.fault(f"{old}, {self._stale} times in a row")
        return broken or old

    def _drive(self, reading: Reading, wanted: list[float] | None) -> list[float] | None:
        if wanted is None:
            return None if self._base is None else self._limiter(self._safe)
        if self._monitor is not None:
            verdict = self._monitor.judge(reading, dict(zip(self._names, wanted, strict=True)))
            if self._heed(verdict):
                return self._fall_back(verdict)
        if self.state is State.RAMP:
            wanted = self._ramp(wanted)
        return self._limiter(wanted)

    def _heed(self, verdict: Verdict) -> bool:
        """Follow a monitor into or out of the fallback; returns whether its command counts now."""
        if verdict.action == "ok":
            if self.state is State.FALLBACK:
                self._begin_ramp("the monitor is content again", self._limiter.last)
            return False
        if verdict.action != "fall_back":
            self.stop(f"the monitor: {verdict.reason or verdict.action}")
        if self.state is not State.FALLBACK:
            self._enter(State.FALLBACK, f"the monitor: {verdict.reason or verdict.action}")
        return True

    def _fall_back(self, verdict: Verdict) -> list[float]:
        command = None if verdict.command is None else ordered(verdict.command, self._names)
        return self._limiter(self._safe if command is None else command)

    def _begin_ramp(self, reason: str, base: list[float] | None) -> None:
        self._base, self._step = base, 0
        if self._ramp_ticks:
            self._enter(State.RAMP, reason)
        else:
            self._base = self._safe
            self._enter(State.ACTIVE, reason)

    def _start_of_ramp(self, signals: Mapping[str, Sequence[float]]) -> list[float] | None:
        """Where authority grows from: the measured pose under position drives, else the safe command."""
        if len(self._measured) < len(self._names):
            return self._safe
        try:
            pose = {joint: signals[signal][at] for joint, (signal, at) in self._measured.items()}
        except (KeyError, IndexError, TypeError):
            return None
        values = ordered(pose, self._names)
        if values is not None:
            self._limiter.last = [min(max(v, low), high) for v, (low, high) in zip(values, self._limits, strict=True)]
        return None if values is None else self._limiter.last

    def _ramp(self, wanted: list[float]) -> list[float]:
        share, base = self._step / self._ramp_ticks, self._base or self._safe
        self._step += 1
        if self._step > self._ramp_ticks:
            self._enter(State.ACTIVE, f"ramp of {self.config.ramp_time:g} s is over")
            return wanted
        return _between(base, self._inside(wanted), share)

    def _ramp_down(self) -> list[float] | None:
        self._step += 1
        seconds = max(self._step * self._dt, monotonic() - self._stop_began)
        share = seconds / self.config.soft_stop_time
        if self._step > self._stop_ticks or share > 1.0 + 1e-9:
            self.disable(f"soft stop is over: {self._stop_reason}")
            return None
        return self._limiter(_between(self._from, self._safe, share))

    def _inside(self, command: Sequence[float]) -> list[float]:
        return [min(max(value, low), high) for value, (low, high) in zip(command, self._limits, strict=True)]

    def _enter(self, state: State, reason: str) -> None:
        self.state = state
        self.history.append(Change(state, self.ticks, reason))


def _ticks(seconds: float, control_dt: float) -> int:
    return round(seconds / control_dt)


def _between(start: Sequence[float], end: Sequence[float], share: float) -> list[float]:
    return [a + share * (b - a) for a, b in zip(start, end, strict=True)]
