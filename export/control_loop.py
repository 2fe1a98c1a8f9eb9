"""The whole control loop against a robot that costs nothing: what it adds to a session call, which deadlines it misses.

Supervisor, policy and recorder are those of `simshift run`; only the robot is a table of readings.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, perf_counter_ns, sleep

import numpy as np

from export.bundle import Bundle
from export.certificate import LoopTimes
from export.cold_start import middle_reading
from export.runtime.latency import preemptions
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from export.runtime.recorder import Recorder
from export.runtime.report import RunReport
from export.runtime.supervisor import Supervisor
from export.runtime.supervisor_config import SupervisorConfig
from robots.contract import Contract
from robots.drivers.base import Features, Reading

TABLE = 997
"""Readings that differ, over and over: what stands still would be a fault."""


class TableRobot:
    """Gives `ticks` readings, one every `period` s (0: at once), and takes any command.

    A reading bears the number of its period, so one that is not fetched in time is skipped. `turns_us` are the times
    from handing a reading over to being asked for the next, all of the loop; `interrupted` says of which the scheduler
    took a part. `late` counts commands given after their period, `late_by_scheduler` those of them whose tick began
    late or was interrupted.
    """

    def __init__(self, contract: Contract, ticks: int, period: float = 0.0) -> None:
        self.features = Features.of(contract, "realtime")
        self.turns_us: list[float] = []
        self.interrupted: list[bool] = []
        self.late = self.late_by_scheduler = 0
        self._table = readings(contract)
        self._dt, self._ticks, self._period = contract.control_dt, ticks, period
        self._sequence = self._given = self._preempted = 0
        self._start = self._due = 0.0
        self._woke_late = False

    def connect(self) -> Features:
        """Do nothing."""
        return self.features

    def read(self) -> Reading:
        """Wait for the next period and return its reading; after the last one, the end of the session."""
        asked, preempted = perf_counter_ns(), preemptions()
        if self._given:
            self.turns_us.append((asked - self._given) / 1e3)
            self.interrupted.append(preempted != self._preempted)
        else:
            self._start = perf_counter()
        self._sequence = self._next_period()
        first, last = self._given == 0, self._sequence > self._ticks
        reading = self._end() if last else self._sense(first)
        self._preempted, self._given = preemptions(), perf_counter_ns()
        self._woke_late = self._period > 0 and perf_counter() - self._due > self._period / 4
        return reading

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Note whether the command came within its period; returns it."""
        if self._period and perf_counter() > self._due + self._period:
            self.late += 1
            self.late_by_scheduler += self._woke_late or preemptions() != self._preempted
        return dict(command)

    def stop(self) -> dict[str, float]:
        """Return the safe command."""
        return self.features.safe_command

    def close(self) -> None:
        """Do nothing."""

    def _sense(self, first: bool) -> Reading:
        reward, signals = 0.0 if self.features.gives_reward else None, self._table[self._sequence % TABLE]
        return Reading(self._sequence, self._sequence * self._dt, signals, first, first, reward=reward)

    def _end(self) -> Reading:
        return Reading(self._sequence, self._sequence * self._dt, {}, trial_end=True, session_end=True)

    def _next_period(self) -> int:
        following = self._sequence + 1
        if not self._period:
            return following
        number = max(following, int((perf_counter() - self._start) / self._period))
        self._due = self._start + number * self._period
        sleep(max(0.0, self._due - perf_counter()))
        return number


def readings(contract: Contract) -> list[dict[str, tuple[float, ...]]]:
    """Return `TABLE` readings near the middle of every signal's range, no two of them alike."""
    rng = np.random.default_rng(0)
    middle, widths = middle_reading(contract), {s.name: 1e-3 * min(1.0, s.high - s.low) for s in contract.signals}
    return [
        {name: tuple((np.array(at) + rng.uniform(0, widths[name], len(at))).tolist()) for name, at in middle.items()}
        for _ in range(TABLE)
    ]


def drive_table(
    bundle: Bundle, recording: Path, *, ticks: int, period: float = 0.0, control_dt: float | None = None
) -> tuple[TableRobot, RunReport]:
    """Drive a robot of readings, recording every tick; `control_dt` [s] replaces that of the bundle's contract.

    What comes too late is counted to the end, so the supervisor's guard that would end the run for it is off. Raises
    `RuntimeError` when the run does not end as it should.
    """
    policy = Policy(bundle)
    if control_dt is not None:
        policy.contract = policy.contract.model_copy(update={"control_dt": control_dt})
    robot = TableRobot(policy.contract, ticks, period)
    supervisor = Supervisor(
        policy.contract, SupervisorConfig.of(policy.contract, "realtime", {"missed_deadlines": None})
    )
    supervisor.arm("armed to be measured")
    with Recorder(recording, policy.contract) as recorder:
        report = run_loop(policy, robot, supervisor=supervisor, recorder=recorder)
    if not report.completed:
        raise RuntimeError(f"the loop ended by itself: {report.stopped}")
    return robot, report


def deadlines(bundle: Bundle, seconds: float, rate: float) -> LoopTimes:
    """Run the loop `rate` times a second, recording, on one core of this machine; count what comes too late."""
    with tempfile.TemporaryDirectory() as folder, one_core():
        robot, report = drive_table(
            bundle, Path(folder) / "loop.npz", ticks=round(seconds * rate), period=1 / rate, control_dt=1 / rate
        )
    return loop_times(robot, report, rate)


def loop_times(robot: TableRobot, report: RunReport, rate: float) -> LoopTimes:
    """Sum a paced run up."""
    clean = report.latency_undisturbed
    return LoopTimes(
        rate=rate,
        periods=report.ticks + report.skipped_readings,
        ticks=report.ticks,
        skipped=report.skipped_readings,
        late=robot.late,
        late_by_scheduler=robot.late_by_scheduler,
        interrupted=report.preempted_ticks,
        p50=report.latency.percentile(50),
        p99=report.latency.percentile(99),
        longest=report.latency.max_us,
        clean_p50=clean.percentile(50),
        clean_p99=clean.percentile(99),
        clean_longest=clean.max_us,
    )


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
