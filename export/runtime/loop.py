"""Drive a robot: read, step the policy, write, tell the policy what was sent. Whatever happens, it ends safely."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic, perf_counter_ns, sleep
from typing import Literal, Protocol

from domain_rand.schema import ConfigError
from export.runtime.latency import Latency, preemptions
from export.runtime.monitor import open_monitor
from export.runtime.operator_stop import stop_signals
from export.runtime.policy import BadReading
from export.runtime.recorder import Recorder, Tick
from export.runtime.report import RunReport, loaded_modules
from export.runtime.supervisor import State, Supervisor
from export.runtime.supervisor_config import SupervisorConfig
from robots.contract import Contract
from robots.drivers.base import Driver, DriverError, DriverTimeout, Features, Reading, check_contract
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


def run_loop(
    policy: Runnable,
    driver: Driver,
    *,
    trials: int | None = None,
    max_seconds: float | None = None,
    pace: Literal["robot", "realtime"] = "robot",
    supervisor: Supervisor | None = None,
    recorder: Recorder | None = None,
    on_tick: Callable[[Tick], None] | None = None,
) -> RunReport:
    """Drive until the robot ends its session, `trials` have ended, or `max_seconds` are over.

    Pace "robot" follows the readings as they come; "realtime" also waits for the clock, for a driver that does not.
    `supervisor` has the last word on every command, and its faults end the run; without one, an armed one with the
    contract's defaults and the bundle's monitor does. Ctrl-C, SIGTERM and `max_seconds` end it by a soft stop, a second
    Ctrl-C at once. The safe command is the last thing sent on every way out, any exception included. Raises
    `DriverError` when the robot cannot be reached or follows another contract, `ConfigError` when it cannot give what
    the policy needs. Closing the driver is left to the caller.
    """
    features = driver.connect()
    try:
        _check_needs(policy.contract, features)
        if supervisor is None:
            config = SupervisorConfig.of(policy.contract, features.pace)
            supervisor = Supervisor(policy.contract, config, open_monitor(policy))
            supervisor.arm()
        run = _Run(policy, driver, features.control_dt, supervisor, recorder, on_tick)
        with stop_signals(supervisor.stop):
            return run.play(trials, max_seconds, pace)
    finally:
        driver.stop()


class _Run:
    def __init__(
        self,
        policy: Runnable,
        driver: Driver,
        control_dt: float,
        supervisor: Supervisor,
        recorder: Recorder | None,
        on_tick: Callable[[Tick], None] | None,
    ) -> None:
        self._policy, self._driver, self._supervisor = policy, driver, supervisor
        self._control_dt = control_dt
        self._joints = policy.contract.joint_names
        record = None if recorder is None else recorder.add
        self._listeners = [listen for listen in (record, on_tick) if listen is not None]
        self._undisturbed, self._disturbed = Latency(), Latency()
        self._ticks = self._trials = self._episodes = self._slow = self._skipped = 0
        self._refused = {BadReading: 0, UnsafeCommand: 0}
        self._last_sequence: int | None = None
        self._trial_due = self._episode_due = True

    def play(self, trials: int | None, max_seconds: float | None, pace: str) -> RunReport:
        start, supervisor = monotonic(), self._supervisor
        try:
            stopped, completed = self._until_stopped(start, trials, max_seconds, pace)
        except DriverError as error:
            lost = isinstance(error, DriverTimeout)
            stopped, completed = f"{error}; check its power and line, then run again" if lost else str(error), False
            supervisor.fault(stopped)
        except KeyboardInterrupt:
            stopped, completed = "interrupted", False
        except BaseException as error:
            supervisor.fault(f"{type(error).__name__}: {error}")
            raise
        supervisor.disable(stopped)
        return self._report(stopped, completed, monotonic() - start)

    def _until_stopped(
        self, start: float, trials: int | None, max_seconds: float | None, pace: str
    ) -> tuple[str, bool]:
        supervisor, over = self._supervisor, f"{max_seconds or 0:g} s are over"
        while True:
            if max_seconds is not None and monotonic() - start >= max_seconds:
                supervisor.stop(over)
            if stopped := supervisor.settle():
                return stopped, stopped == over
            if supervisor.state is State.FAULT and not supervisor.config.hold_on_fault:
                return supervisor.reason, False
            if pace == "realtime":
                sleep(max(0.0, start + self._ticks * self._control_dt - monotonic()))
            reading = self._driver.read()
            if not reading.trial_end:
                self._tick(reading)
            elif ended := self._end_trial(reading, trials):
                return ended, True

    def _end_trial(self, reading: Reading, trials: int | None) -> str | None:
        """Count a trial; returns why the run ends with it, if it does."""
        self._trials += 1
        self._trial_due = self._episode_due = True  # the next trial's first reading may be lost
        self._skip(reading)
        if reading.session_end:
            return f"the robot ended its session after {self._trials} trials"
        return f"{trials} trials played" if self._trials == trials else None

    def _tick(self, reading: Reading) -> None:
        began, preempted = perf_counter_ns(), preemptions()
        supervisor, requested = self._supervisor, None
        skipped = self._skip(reading)
        self._trial_due |= reading.trial_start
        self._episode_due |= reading.episode_start or reading.trial_start or not supervisor.driven
        refused = supervisor.look(reading)
        if refused is None and supervisor.driven:
            requested, refused = self._ask(reading)
        command = supervisor.decide(reading, requested, refused)
        if command is None:
            sent = self._driver.stop()
        else:
            sent = self._driver.write(dict(zip(self._joints, command, strict=True)))
        latency_us = (perf_counter_ns() - began) / 1000
        slow = latency_us > self._control_dt * 1e6
        if supervisor.confirm(sent, skipped + slow):
            self._policy.sent(sent)
        self._count(latency_us, slow, preemptions() > preempted)
        tick = Tick(reading, requested, sent, latency_us, supervisor.refused)
        for listen in self._listeners:
            listen(tick)

    def _ask(self, reading: Reading) -> tuple[dict[str, float] | None, str | None]:
        """Return the policy's command, or why there is none."""
        if self._trial_due:
            self._policy.start_trial()
        start = self._episode_due
        self._episodes += start
        self._trial_due = self._episode_due = False
        try:
            return self._policy.step(reading.signals, episode_start=start, last_reward=reading.reward), None
        except (BadReading, UnsafeCommand) as error:
            self._refused[BadReading if isinstance(error, BadReading) else UnsafeCommand] += 1
            return None, str(error)

    def _skip(self, reading: Reading) -> int:
        """Return how many readings were skipped before this one."""
        before, self._last_sequence = self._last_sequence, reading.sequence
        skipped = 0 if before is None else max(0, reading.sequence - before - 1)
        self._skipped += skipped
        return skipped

    def _count(self, latency_us: float, slow: bool, preempted: bool) -> None:
        self._ticks += 1
        self._slow += slow
        (self._disturbed if preempted else self._undisturbed).add(latency_us)

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
            preempted_ticks=self._disturbed.count,
            refused_readings=self._refused[BadReading],
            refused_commands=self._refused[UnsafeCommand],
            states=tuple(self._supervisor.history),
            safety=self._supervisor.config,
            latency=self._undisturbed.joined(self._disturbed),
            latency_undisturbed=self._undisturbed,
            robot_side_modules=loaded_modules(),
            adaptations=tuple(getattr(self._policy, "adaptations", ())),
        )


def _check_needs(contract: Contract, features: Features) -> None:
    if contract.needs_reward and not features.gives_reward:
        raise ConfigError(
            f"the policy needs a reward from {features.robot}, which gives none; let the robot report it, or train one "
            "that infers from observations and actions (needs_reward: false)"
        )
    check_contract(features, contract)
