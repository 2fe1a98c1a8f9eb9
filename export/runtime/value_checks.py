"""The guards on measured values of one robot, as its configuration sets them, and how long each may complain."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from export.runtime.guards import (
    Frozen,
    JointRange,
    Recent,
    Signals,
    StuckEncoder,
    Tilt,
    joint_columns,
    tilt_signal,
)
from export.runtime.supervisor_config import SupervisorConfig
from robots.contract import Contract, Pair

UNREADABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)
RANGES = (("position", "joint_pos", "rad"), ("velocity", "joint_vel", "rad/s"), ("workspace", "joint_pos", "rad"))


class _Check(NamedTuple):
    complaint: Callable[[Signals], str | None]
    recent: Recent
    guard: Frozen | StuckEncoder | None = None


class ValueChecks:
    """All guards on measured values, to be asked once in every control period."""

    def __init__(self, contract: Contract, config: SupervisorConfig) -> None:
        self._contract, self._config = contract, config
        self._checks = [*self._at_once(), *self._over_time()]

    def reset(self) -> None:
        """Forget every earlier reading."""
        for check in self._checks:
            check.recent.reset()
            if check.guard is not None:
                check.guard.reset()

    def check(self, signals: Signals) -> str | None:
        """Return what has been wrong for too long; a reading that cannot be checked is wrong, whatever it holds."""
        found = None
        for complaint, recent, _ in self._checks:
            try:
                wrong = complaint(signals)
            except UNREADABLE as error:
                wrong = f"the reading cannot be checked ({error!r})"
            if recent.add(wrong is not None) and wrong:
                found = found or wrong
        return found

    def _at_once(self) -> list[_Check]:
        """Guards that look at one reading alone; a single outlier is none of their business."""
        patience = self._ticks(self._config.limit_time)
        checks: list[_Check] = []
        for what, source, unit in RANGES:
            ranges: dict[str, Pair] = {name: pair for name, pair in getattr(self._config, what).items() if pair}
            if ranges:
                guard = JointRange(what, unit, ranges, joint_columns(self._contract, source))
                checks.append(_Check(guard.check, Recent(patience, patience)))
        leaning = tilt_signal(self._contract)
        if self._config.tilt is not None and leaning is not None:
            checks.append(_Check(Tilt(leaning, self._config.tilt).check, Recent(patience, patience)))
        return checks

    def _over_time(self) -> list[_Check]:
        """Guards that compare a reading with those before it."""
        config, dt = self._config, self._contract.control_dt
        times = {signal: seconds for signal, seconds in config.frozen.items() if seconds is not None}
        guards: list[Frozen | StuckEncoder] = [Frozen(name, self._ticks(seconds)) for name, seconds in times.items()]
        travel = {joint: limit for joint, limit in config.stuck.items() if limit is not None}
        if travel:
            columns = joint_columns(self._contract, "joint_pos"), joint_columns(self._contract, "joint_vel")
            guards.append(StuckEncoder(travel, *columns, dt))
        return [_Check(guard.check, Recent(1, 1), guard) for guard in guards]

    def _ticks(self, seconds: float) -> int:
        return max(1, round(seconds / self._contract.control_dt))
