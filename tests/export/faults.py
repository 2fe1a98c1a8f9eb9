"""Everything that is broken on purpose: one row for each fault, what is done, where it has to end and how soon.

`docs/safety.md` shows this very table. Ticks count from the first one with the fault; 50 of them are a second.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, nan
from typing import Any, NamedTuple

from export.runtime.guards import Verdict
from export.runtime.supervisor import State, Supervisor
from robots.contract import Contract
from robots.drivers.base import DriverError, DriverTimeout, Reading
from robots.drivers.sim import SimDriver
from robots.safety import safe_command

AT = 60
"""The tick on which a fault begins, if its row does not say otherwise: long after the ramp, and the robot moves."""

RAMP = {"ramp_time": 0.2, "soft_stop_time": 0.2}
"""What all runs share: ten ticks from zero to full authority, and ten back."""


class Written(NamedTuple):
    """What a robot was told: None is the order to take the safe command."""

    reading: Reading
    command: dict[str, float] | None


class FaultyRobot(SimDriver):
    """A simulated robot in real time's rules, which breaks as `fault` says; keeps what it was told."""

    def __init__(self, fault: Fault | None, robot: str = "servo_arm") -> None:
        super().__init__(robot)
        self.features = replace(self.features, pace="realtime")
        self.fault = fault
        self.log: list[Written] = []
        self.supervisor: Supervisor | None = None
        self._reading: Reading | None = None
        self._last: Reading | None = None

    @property
    def tick(self) -> int:
        """Ticks since the fault began; negative before."""
        return len(self.log) - (AT if self.fault is None else self.fault.at)

    def read(self) -> Reading:
        reading = super().read()
        if self.fault is not None and self.tick >= 0 and not reading.trial_end:
            reading = self.fault.reading(self, reading)
        else:
            self._last = reading
        self._reading = reading
        return reading

    @property
    def healthy(self) -> Reading:
        """The last reading before the fault."""
        assert self._last is not None
        return self._last

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        assert self._reading is not None
        self.log.append(Written(self._reading, dict(command)))
        sent = super().write(command)
        return sent if self.fault is None or self.tick <= 0 else self.fault.sent(sent)

    def stop(self) -> dict[str, float]:
        if self._reading is not None:
            self.log.append(Written(self._reading, None))
        return super().stop()


OnReading = Callable[[FaultyRobot, Reading], Reading]
OnCommand = Callable[[int, dict[str, float]], dict[str, float]]


def as_it_is(robot: FaultyRobot, reading: Reading) -> Reading:
    return reading


def what_was_sent(sent: dict[str, float]) -> dict[str, float]:
    return sent


@dataclass(frozen=True)
class Fault:
    """One row: what happens in words, which guard sees it, the state it has to reach, and within how many ticks.

    `reading` breaks what comes from the robot, `sent` what it says to have done, `command` what the policy answers,
    `judge` is the monitor; `raises` is what leaves the loop.
    """

    name: str
    how: str
    guard: str
    ends: State
    within: int
    reading: OnReading = as_it_is
    sent: Callable[[dict[str, float]], dict[str, float]] = what_was_sent
    command: OnCommand | None = None
    judge: Callable[[int], Verdict] | None = None
    raises: type[BaseException] | None = None
    at: int = AT
    robot: str = "servo_arm"
    safety: Mapping[str, Any] = field(default_factory=dict)


def value(signal_name: str, *values: Any, once: bool = False, every: int = 1) -> OnReading:
    """Replace a signal: for good, only once, or in every so many readings."""

    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        if (once and robot.tick > 0) or robot.tick % every:
            return reading
        return replace(reading, signals={**reading.signals, signal_name: values})

    return broken


def without(signal_name: str, renamed: str | None = None) -> OnReading:
    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        signals = dict(reading.signals)
        lost = signals.pop(signal_name)
        return replace(reading, signals={**signals, renamed: lost} if renamed else signals)

    return broken


def frozen(*names: str) -> OnReading:
    """Let signals read what they read before the fault."""

    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        return replace(reading, signals={**reading.signals, **{name: robot.healthy.signals[name] for name in names}})

    return broken


def clock(change: Callable[[Reading, Reading, int], dict[str, Any]], once: bool = False) -> OnReading:
    """Change sequence and time; `change` gets the reading, the last one before the fault and the tick since."""

    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        return reading if once and robot.tick > 0 else replace(reading, **change(reading, robot.healthy, robot.tick))

    return broken


def stuck(robot: FaultyRobot, reading: Reading) -> Reading:
    """The encoder stands still while the joint turns at 5 rad/s."""
    return replace(
        reading, signals={**reading.signals, "joint_pos": robot.healthy.signals["joint_pos"], "joint_vel": (5.0,)}
    )


def both(first: OnReading, then: OnReading, after: int) -> OnReading:
    """One fault, and so many ticks later another one on top."""

    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        reading = first(robot, reading)
        return then(robot, reading) if robot.tick >= after else reading

    return broken


def raising(error: BaseException) -> OnReading:
    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        raise error

    return broken


def sends_signal(number: int, times: int = 1) -> OnReading:
    """Send this process a signal, once or on several ticks one after the other."""

    def broken(robot: FaultyRobot, reading: Reading) -> Reading:
        if robot.tick < times:
            os.kill(os.getpid(), number)
        return reading

    return broken


def operator(robot: FaultyRobot, reading: Reading) -> Reading:
    assert robot.supervisor is not None
    robot.supervisor.stop()
    return reading


def cannot_write(sent: dict[str, float]) -> dict[str, float]:
    raise DriverError("the bus is off")


def answers(*values: float, once: bool = False) -> OnCommand:
    """Let the policy command these values in turn."""

    def broken(tick: int, command: dict[str, float]) -> dict[str, float]:
        if once and tick > 0:
            return command
        return {name: values[tick % len(values)] for name in command}

    return broken


def slowly(tick: int, command: dict[str, float]) -> dict[str, float]:
    time.sleep(0.021)
    return command


def out_of_cheese(*others: object) -> Any:
    raise RuntimeError("out of cheese")


def one_way(robot: FaultyRobot, reading: Reading) -> Reading:
    """Every second reading gets lost."""
    n = robot.tick + 1
    return replace(reading, sequence=reading.sequence + n, time=reading.time + 0.02 * n)


def says(action: Any, command: Sequence[float] | None = None) -> Callable[[int], Verdict]:
    return lambda tick: Verdict(action, "never seen this", None if command is None else {"shoulder": command[0]})


ACTIVE, FAULT, DISABLED, FALLBACK = State.ACTIVE, State.FAULT, State.DISABLED, State.FALLBACK
SIDEWAYS = value("projected_gravity", 0.99, 0.02, -0.1)

GUARDS = {
    "refusals": "refusals among the last",
    "stale": "times in a row",
    "clock": "came after reading|robot's clock went",
    "gap": "between two readings",
    "frozen": "has read .* for",
    "stuck": "stays at .* while its velocity",
    "position": "position of .* allowed is",
    "velocity": "velocity of .* allowed is",
    "workspace": "workspace of .* allowed is",
    "tilt": "leans by|is no direction",
    "limits and rate": "",
    "deadlines": "periods went without their command",
    "driver": "the bus is off|no answer",
    "sent": "the driver reports",
    "exception": "out of cheese|OSError",
    "operator": "interrupted|stopped by the operator",
    "monitor": "the monitor: never seen this",
}
"""What each guard says (a pattern)."""

FAULTS = (
    Fault("nan_once", "one reading of joint_pos is NaN", "refusals", ACTIVE, 1, value("joint_pos", nan, once=True)),
    Fault("nan", "joint_pos is NaN from now on", "refusals", FAULT, 10, value("joint_pos", nan)),
    Fault("nan_velocity", "joint_vel is NaN", "refusals", FAULT, 10, value("joint_vel", nan)),
    Fault("nan_target", "joint_pos_target is NaN", "refusals", FAULT, 10, value("joint_pos_target", nan)),
    Fault("inf", "joint_pos is infinite", "refusals", FAULT, 10, value("joint_pos", inf)),
    Fault("minus_inf", "joint_vel is minus infinity", "refusals", FAULT, 10, value("joint_vel", -inf)),
    Fault("nan_every_second", "every second joint_pos is NaN", "refusals", FAULT, 19, value("joint_pos", nan, every=2)),
    Fault("nan_at_first", "joint_pos is NaN before the ramp", "refusals", FAULT, 10, value("joint_pos", nan), at=0),
    Fault("nan_in_ramp", "joint_pos becomes NaN within the ramp", "refusals", FAULT, 10, value("joint_pos", nan), at=5),
    Fault("out_of_range", "joint_pos is outside its sensor's range", "refusals", FAULT, 10, value("joint_pos", 4.0)),
    Fault(
        "out_of_range_velocity",
        "joint_vel is outside its sensor's range",
        "refusals",
        FAULT,
        10,
        value("joint_vel", -51.0),
    ),
    Fault("huge", "joint_pos is 1e300", "refusals", FAULT, 10, value("joint_pos", 1e300)),
    Fault("missing_signal", "joint_vel is missing", "refusals", FAULT, 10, without("joint_vel")),
    Fault(
        "renamed_signal",
        "joint_vel comes as joint_velocity",
        "refusals",
        FAULT,
        10,
        without("joint_vel", "joint_velocity"),
    ),
    Fault("no_signals", "readings carry no signal at all", "refusals", FAULT, 10, lambda _, r: replace(r, signals={})),
    Fault("too_many_values", "joint_pos has two values", "refusals", FAULT, 10, value("joint_pos", 0.1, 0.2)),
    Fault("no_value", "joint_pos is empty", "refusals", FAULT, 10, value("joint_pos")),
    Fault("text", "joint_pos is text", "refusals", FAULT, 10, value("joint_pos", "0.1")),
    Fault("none", "joint_pos is None", "refusals", FAULT, 10, value("joint_pos", None)),
    Fault("nested", "joint_pos is a list within a list", "refusals", FAULT, 10, value("joint_pos", [0.1])),
    Fault("stale", "the last reading comes again and again", "stale", FAULT, 5, lambda robot, _: robot.healthy),
    Fault(
        "stale_once", "one reading comes twice", "stale", ACTIVE, 1, lambda robot, r: r if robot.tick else robot.healthy
    ),
    Fault(
        "clock_stands", "the robot's clock stands still", "stale", FAULT, 5, clock(lambda r, old, _: {"time": old.time})
    ),
    Fault(
        "sequence_stands",
        "one number for all readings",
        "stale",
        FAULT,
        5,
        clock(lambda r, old, _: {"sequence": old.sequence}),
    ),
    Fault(
        "clock_back",
        "the robot's clock runs backwards",
        "clock",
        FAULT,
        1,
        clock(lambda r, old, t: {"time": old.time - t - 1}),
    ),
    Fault("clock_nan", "the robot's clock shows NaN", "clock", FAULT, 1, clock(lambda r, *_: {"time": nan})),
    Fault(
        "clock_leaps", "the robot's clock leaps by 10 s", "gap", FAULT, 1, clock(lambda r, *_: {"time": r.time + 10})
    ),
    Fault("clock_inf", "the robot's clock shows infinity", "gap", FAULT, 1, clock(lambda r, *_: {"time": inf})),
    Fault(
        "sequence_back", "readings count from 1 again", "clock", FAULT, 1, clock(lambda r, _, t: {"sequence": t + 1})
    ),
    Fault(
        "sequence_leaps",
        "1000 readings are lost",
        "gap",
        FAULT,
        1,
        clock(lambda r, *_: {"sequence": r.sequence + 1000}),
    ),
    Fault("frozen_position", "joint_pos stays bit for bit the same", "stuck", FAULT, 25, frozen("joint_pos")),
    Fault("frozen_velocity", "joint_vel stays bit for bit the same", "frozen", FAULT, 25, frozen("joint_vel")),
    Fault(
        "frozen",
        "both stay the same, the clock goes on",
        "frozen",
        FAULT,
        25,
        frozen("joint_pos", "joint_vel"),
        safety={"stuck": {"shoulder": None}},
    ),
    Fault("stuck_encoder", "joint_pos stays while joint_vel is 5 rad/s", "stuck", FAULT, 3, stuck),
    Fault(
        "beyond_limit", "joint_pos is 0.3 rad beyond the joint's limit", "position", FAULT, 3, value("joint_pos", 2.9)
    ),
    Fault("too_fast", "joint_vel is 1.8 times the joint's limit", "velocity", FAULT, 3, value("joint_vel", -45.0)),
    Fault(
        "workspace",
        "the joint leaves the box set for this place",
        "workspace",
        FAULT,
        3,
        value("joint_pos", 2.0),
        safety={"workspace": {"shoulder": [-1.5, 1.5]}},
    ),
    Fault("policy_nan_once", "the policy answers NaN once", "refusals", ACTIVE, 1, command=answers(nan, once=True)),
    Fault("policy_nan", "the policy answers NaN from now on", "refusals", FAULT, 10, command=answers(nan)),
    Fault("policy_inf", "the policy answers infinity", "refusals", FAULT, 10, command=answers(inf)),
    Fault("policy_nothing", "the policy answers without the joint", "refusals", FAULT, 10, command=lambda *_: {}),
    Fault(
        "policy_other_joint",
        "the policy commands another joint",
        "refusals",
        FAULT,
        10,
        command=lambda *_: {"elbow": 1.0},
    ),
    Fault("policy_huge", "the policy asks for 1e300 N·m", "limits and rate", ACTIVE, 1, command=answers(1e300)),
    Fault(
        "policy_bangs", "the policy asks for ±1e6 N·m in turn", "limits and rate", ACTIVE, 1, command=answers(1e6, -1e6)
    ),
    Fault("policy_raises", "the policy raises", "exception", FAULT, 1, command=out_of_cheese, raises=RuntimeError),
    Fault("policy_slow", "every step takes longer than its period", "deadlines", FAULT, 20, command=slowly),
    Fault("readings_lost", "every second reading is lost", "deadlines", FAULT, 20, one_way),
    Fault(
        "robot_silent", "the robot does not answer any more", "driver", FAULT, 1, raising(DriverTimeout("no answer"))
    ),
    Fault("driver_error", "reading fails", "driver", FAULT, 1, raising(DriverError("the bus is off"))),
    Fault(
        "driver_crash",
        "the driver raises what it should not",
        "exception",
        FAULT,
        1,
        raising(OSError(5)),
        raises=OSError,
    ),
    Fault("cannot_write", "writing fails", "driver", FAULT, 1, sent=cannot_write),
    Fault("sent_nan", "the driver reports NaN sent", "sent", FAULT, 1, sent=lambda _: {"shoulder": nan}),
    Fault(
        "sent_too_much",
        "the driver reports 11 N·m sent; the limit is 10",
        "sent",
        FAULT,
        1,
        sent=lambda _: {"shoulder": 11.0},
    ),
    Fault("sent_nothing", "the driver reports nothing sent", "sent", FAULT, 1, sent=lambda _: {}),
    Fault("control_c", "Ctrl-C", "operator", DISABLED, 12, sends_signal(signal.SIGINT)),
    Fault("control_c_twice", "Ctrl-C, and again a tick later", "operator", DISABLED, 2, sends_signal(signal.SIGINT, 2)),
    Fault("sigterm", "SIGTERM", "operator", DISABLED, 12, sends_signal(signal.SIGTERM)),
    Fault("operator", "Supervisor.stop()", "operator", DISABLED, 12, operator),
    Fault(
        "nan_in_soft_stop",
        "Ctrl-C, then joint_pos is NaN",
        "position",
        FAULT,
        5,
        both(sends_signal(signal.SIGINT), value("joint_pos", nan), 2),
    ),
    Fault(
        "silent_in_soft_stop",
        "Ctrl-C, then the robot does not answer",
        "driver",
        FAULT,
        3,
        both(sends_signal(signal.SIGINT), raising(DriverTimeout("no answer")), 2),
    ),
    Fault("monitor_falls_back", "a monitor asks to fall back", "monitor", FALLBACK, 1, judge=says("fall_back")),
    Fault(
        "monitor_falls_back_wildly",
        "a monitor falls back to NaN",
        "monitor",
        FALLBACK,
        1,
        judge=says("fall_back", [nan]),
    ),
    Fault("monitor_stops", "a monitor asks to stop", "monitor", DISABLED, 12, judge=says("stop")),
    Fault("monitor_raises", "a monitor raises", "exception", FAULT, 1, judge=out_of_cheese, raises=RuntimeError),
    Fault("fallen", "a quadruped lies on its side", "tilt", FAULT, 3, SIDEWAYS, robot="a1"),
    Fault(
        "no_gravity",
        "its gravity sensor reads zero",
        "tilt",
        FAULT,
        3,
        value("projected_gravity", 0.0, 0.0, 0.0),
        robot="a1",
    ),
    Fault(
        "frozen_gravity",
        "its gravity sensor stays the same",
        "frozen",
        FAULT,
        25,
        frozen("projected_gravity"),
        robot="a1",
    ),
    Fault(
        "one_joint_beyond",
        "one of its twelve joints reads beyond its limit",
        "position",
        FAULT,
        3,
        lambda _, r: replace(r, signals={**r.signals, "joint_pos": (*r.signals["joint_pos"][:11], 0.0)}),
        robot="a1",
    ),
    Fault("quadruped_nan", "its joint_vel is NaN", "refusals", FAULT, 10, value("joint_vel", *[nan] * 12), robot="a1"),
    Fault(
        "quadruped_control_c",
        "Ctrl-C while it stands",
        "operator",
        DISABLED,
        12,
        sends_signal(signal.SIGINT),
        robot="a1",
    ),
)


def check_commands(log: Sequence[Written], contract: Contract) -> None:
    """Every command written is inside the limits, and within reach of what the robot held before."""
    safe, names = safe_command(contract), contract.joint_names
    held = log[0].reading.signals["joint_pos"] if contract.action.mode == "position" else safe
    for reading, command in log:
        if reading.episode_start and reading is not log[0].reading:
            held = safe
        if command is None:
            held = safe
            continue
        values = [command[name] for name in names]
        limits = zip(values, held, contract.command_limits, contract.max_command_change, strict=True)
        for at, before, (low, high), change in limits:
            assert low <= at <= high
            assert abs(at - min(max(before, low), high)) <= change + 1e-9
        held = values


def markdown() -> str:
    """Return the table as `docs/safety.md` shows it."""
    lines = ["| fault | what happens | guard | ends in | within [ticks] |", "|---|---|---|---|---|"]
    lines += [f"| `{f.name}` | {f.how} | {f.guard} | {f.ends} | {f.within} |" for f in FAULTS]
    return "\n".join(lines) + "\n"
