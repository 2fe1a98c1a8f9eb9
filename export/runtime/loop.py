"""Drive a robot: read, step the policy, write, tell the policy what was sent. Whatever happens, it ends safely."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from time import monotonic, perf_counter_ns, sleep
from typing import Any, Literal, Protocol

from domain_rand.schema import ConfigError
from export.runtime.latency import Latency, preemptions
from export.runtime.policy import BadReading
from export.runtime.recorder import Recorder, Tick
from robots.contract import Contract
from robots.drivers.base import Driver, DriverTimeout, Features, Reading, check_contract
from robots.safety import UnsafeCommand


class Runnable(Protocol):
    """What the loop asks of a policy."""

    @property
    def contract(self) -> Contract: ...
    def start_trial(self) -> None: ...
    def step(
        self,
        signals: Mapping[str, Sequence[float]],
        *,
        episode_start: bool = False,
        last_reward: float | None = None,
    ) -> dict[str, float]: ...
    def sent(self, command: Mapping[str, float]) -> None: ...


@dataclass(frozen=True)
class RunReport:
    """What happened, as the policy's side saw it. The score is the robot's to keep.

    `stopped` says in words why the run ended; `completed`, whether that was what the caller asked for. `latency` is
    over all ticks, `latency_undisturbed` over those during which the scheduler did not take the processor away
    (`preempted_ticks` counts the others). `missed_deadlines` = `slow_ticks`, longer than a control period, plus
    `skipped_readings`, that never reached the policy.
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
    latency: Latency
    latency_undisturbed: Latency
    robot_side_modules: tuple[str, ...]

    @property
    def missed_deadlines(self) -> int:
        """Control periods that did not get their command in time."""
        return self.slow_ticks + self.skipped_readings

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data |= {name: data[name].plain() for name in ("latency", "latency_undisturbed")}
        return data | {"missed_deadlines": self.missed_deadlines, "robot_side_modules": list(self.robot_side_modules)}


def run_loop(
    policy: Runnable,
    driver: Driver,
    *,
    trials: int | None = None,
    max_seconds: float | None = None,
    pace: Literal["robot", "realtime"] = "robot",
    max_refusals: int = 10,
    recorder: Recorder | None = None,
    on_tick: Callable[[Tick], None] | None = None,
) -> RunReport:
    """Drive until the robot ends its session, `trials` have ended, or `max_seconds` are over.

    Pace "robot" follows the readings as they come; "realtime" also waits for the clock, for a driver that does not.
    A refused reading or command sends the safe command; `max_refusals` of them in a row end the run, as does a robot
    that stops answering. Ctrl-C ends it too. The safe command is the last thing sent on every way out, any exception
    included. Raises `DriverError` when the robot cannot be reached or follows another contract, `ConfigError` when it
    cannot give what the policy needs. Closing the driver is left to the caller.
    """
    features = driver.connect()
    try:
        _check_needs(policy.contract, features)
        run = _Run(policy, driver, features, max_refusals, recorder, on_tick)
        return run.play(trials, max_seconds, pace)
    finally:
        driver.stop()


def loaded_modules() -> tuple[str, ...]:
    """Return the top-level modules in this process that are not Python's own, sorted."""
    names = {name.partition(".")[0] for name in sys.modules}
    return tuple(sorted(n for n in names if not n.startswith("_") and n not in sys.stdlib_module_names))


class _Run:
    def __init__(
        self,
        policy: Runnable,
        driver: Driver,
        features: Features,
        max_refusals: int,
        recorder: Recorder | None,
        on_tick: Callable[[Tick], None] | None,
    ) -> None:
        self._policy, self._driver = policy, driver
        self._control_dt = features.control_dt
        self._max_refusals = max_refusals
        record = None if recorder is None else recorder.add
        self._listeners = [listen for listen in (record, on_tick) if listen is not None]
        self._all, self._undisturbed = Latency(), Latency()
        self._ticks = self._trials = self._episodes = self._slow = self._skipped = self._preempted = 0
        self._refused = {BadReading: 0, UnsafeCommand: 0}
        self._in_a_row = 0
        self._last_sequence: int | None = None

    def play(self, trials: int | None, max_seconds: float | None, pace: str) -> RunReport:
        start = monotonic()
        try:
            stopped, completed = self._until_stopped(start, trials, max_seconds, pace)
        except DriverTimeout as error:
            stopped, completed = f"{error}; check its power and line, then run again", False
        except KeyboardInterrupt:
            stopped, completed = "interrupted", False
        return self._report(stopped, completed, monotonic() - start)

    def _until_stopped(
        self, start: float, trials: int | None, max_seconds: float | None, pace: str
    ) -> tuple[str, bool]:
        while max_seconds is None or monotonic() - start < max_seconds:
            if pace == "realtime":
                sleep(max(0.0, start + self._ticks * self._control_dt - monotonic()))
            reading = self._driver.read()
            if reading.trial_end:
                self._trials += 1
                self._note_sequence(reading)
                if reading.session_end:
                    return f"the robot ended its session after {self._trials} trials", True
                if self._trials == trials:
                    return f"{trials} trials played", True
                continue
            refused = self._tick(reading)
            if self._in_a_row >= self._max_refusals:
                return f"{self._in_a_row} refusals in a row, the last: {refused}", False
        return f"{max_seconds:g} s are over", True

    def _tick(self, reading: Reading) -> str | None:
        """Answer one reading; returns why it was refused, if it was."""
        began, preempted = perf_counter_ns(), preemptions()
        self._note_sequence(reading)
        requested, refused = self._ask(reading)
        sent = self._driver.stop() if requested is None else self._driver.write(requested)
        latency_us = (perf_counter_ns() - began) / 1000
        self._policy.sent(sent)
        self._count(latency_us, preemptions() > preempted)
        tick = Tick(reading, requested, sent, latency_us, refused)
        for listen in self._listeners:
            listen(tick)
        return refused

    def _ask(self, reading: Reading) -> tuple[dict[str, float] | None, str | None]:
        first = self._ticks == 0
        if reading.trial_start or first:
            self._policy.start_trial()
        start = reading.episode_start or reading.trial_start or first
        self._episodes += start
        try:
            command = self._policy.step(reading.signals, episode_start=start, last_reward=reading.reward)
        except (BadReading, UnsafeCommand) as error:
            self._refused[BadReading if isinstance(error, BadReading) else UnsafeCommand] += 1
            self._in_a_row += 1
            return None, str(error)
        self._in_a_row = 0
        return command, None

    def _note_sequence(self, reading: Reading) -> None:
        if self._last_sequence is not None:
            self._skipped += reading.sequence - self._last_sequence - 1
        self._last_sequence = reading.sequence

    def _count(self, latency_us: float, preempted: bool) -> None:
        self._ticks += 1
        self._slow += latency_us > self._control_dt * 1e6
        self._all.add(latency_us)
        if preempted:
            self._preempted += 1
        else:
            self._undisturbed.add(latency_us)

    def _report(self, stopped: str, completed: bool, seconds: float) -> RunReport:
        return RunReport(
            stopped=stopped,
            completed=completed,
            seconds=seconds,
            ticks=self._ticks,
            trials=self._trials,
            episodes=self._episodes,
            slow_ticks=self._slow,
            skipped_readings=self._skipped,
            preempted_ticks=self._preempted,
            refused_readings=self._refused[BadReading],
            refused_commands=self._refused[UnsafeCommand],
            latency=self._all,
            latency_undisturbed=self._undisturbed,
            robot_side_modules=loaded_modules(),
        )


def _check_needs(contract: Contract, features: Features) -> None:
    if contract.needs_reward and not features.gives_reward:
        raise ConfigError(
            f"the policy needs a reward from {features.robot}, which gives none; train one that infers from "
            "observations and actions (needs_reward: false)"
        )
    check_contract(features, contract)
