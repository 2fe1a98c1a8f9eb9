"""What a run was, in numbers and words."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields
from typing import Any

from export.runtime.adaptation import AdaptationOutcome
from export.runtime.latency import Latency
from export.runtime.supervisor import Change
from export.runtime.supervisor_config import SupervisorConfig


@dataclass(frozen=True)
class RunReport:
    """What happened, as the policy's side saw it. The score is the robot's to keep.

    `stopped` says in words why the run ended; `completed`, whether that was what the caller asked for. `latency` is
    over all ticks, `latency_undisturbed` over those during which the scheduler did not take the processor away
    (`preempted_ticks` counts the others). `missed_deadlines` = `slow_ticks`, longer than a control period, plus
    `skipped_readings`, that never reached the policy. `states` is the supervisor's history, `safety` what it went by;
    `adaptations` are the rounds in which the policy adapted, refused ones among them.
    """

    stopped: str
    completed: bool
    seconds: float
    ticks: int
    trials: int
    episodes: int
    slow_ticks: int
    skipped_readings: int
    preempted_ticks: int
    refused_readings: int
    refused_commands: int
    states: tuple[Change, ...]
    safety: SupervisorConfig
    latency: Latency
    latency_undisturbed: Latency
    robot_side_modules: tuple[str, ...]
    adaptations: tuple[AdaptationOutcome, ...] = ()

    @property
    def missed_deadlines(self) -> int:
        """Control periods that did not get their command in time."""
        return self.slow_ticks + self.skipped_readings

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data |= {name: data[name].plain() for name in ("safety", "latency", "latency_undisturbed")}
        data |= {"states": [change.plain() for change in self.states]}
        data |= {"adaptations": [asdict(outcome) for outcome in self.adaptations]}
        return data | {"missed_deadlines": self.missed_deadlines, "robot_side_modules": list(self.robot_side_modules)}


def loaded_modules() -> tuple[str, ...]:
    """Return the top-level modules in this process that are not Python's own, sorted."""
    names = {name.partition(".")[0] for name in sys.modules}
    return tuple(sorted(n for n in names if not n.startswith("_") and n not in sys.stdlib_module_names))
