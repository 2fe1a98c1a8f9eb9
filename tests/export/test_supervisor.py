"""The supervisor by itself: its states, its ramps, its thresholds, and that nothing gets past it unclamped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import cos, inf, isfinite, nan, pi, sin
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain_rand.schema import ConfigError
from export.bundle import Bundle
from export.runtime.guards import Frozen, Recent, StuckEncoder, Tilt, Verdict, joint_columns
from export.runtime.loop import run_loop
from export.runtime.operator_stop import stop_signals
from export.runtime.policy import Policy
from export.runtime.recorder import Tick
from export.runtime.supervisor import State, Supervisor
from export.runtime.supervisor_config import SupervisorConfig
from robots.contract import Contract
from robots.drivers.base import Features, Reading
from robots.drivers.sim import SimDriver
from robots.safety import safe_command
from robots.spec import load_robot
from tests.export.faults import FaultyRobot, Written, check_commands
from tests.export.tiny_policy import servo_arm

ARM = servo_arm()[0]


def arm(mode: str = "position", **signal_settings: Any) -> Contract:
    """Two joints at 50 Hz, 0.1 of a unit each period, at rest at 0.5 and −0.5."""
    joint = {"pos_limit": [-2, 2], "vel_limit": 5, "torque_limit": 4, "kp": 10.0, "kd": 1.0}
    sensor = {"size": 2, "unit": "rad"}
    return Contract.parse(
        {
            "robot": "two",
            "control_dt": 0.02,
            "joints": [{"name": "a", "default_pos": 0.5, **joint}, {"name": "b", "default_pos": -0.5, **joint}],
            "signals": [{"name": "joint_pos", **sensor, **signal_settings}, {"name": "joint_vel", **sensor}],
            "action": {"mode": mode, "scale": [1.5, 1.5], "offset": [0, 0], "rate_limit": [5, 5]},
        }
    )


def supervisor(contract: Contract, **overrides: Any) -> Supervisor:
    return Supervisor(contract, SupervisorConfig.of(contract, "realtime", {"ramp_time": 0.2, **overrides}))


def reading(n: int, pos: Sequence[Any] = (0.0, 0.0), **others: Any) -> Reading:
    """Sensors that are never quite the same."""
    signals = {"joint_pos": [p + 1e-6 * n for p in pos], "joint_vel": [1e-6 * n, 2e-6 * n]}
    return Reading(n, 0.02 * n, signals, **others)


def drive(
    s: Supervisor, readings: Iterable[Reading], command: Mapping[str, float] | None = None
) -> list[list[float] | None]:
    """Let a supervisor decide on one command all along; a driver that sends what it is given."""
    names = s._names
    decided = []
    for r in readings:
        refused = s.look(r)
        requested = command or dict.fromkeys(names, 9.0)
        decided.append(s.decide(r, None if refused else requested, refused))
        s.confirm(dict(zip(names, decided[-1] or s._safe, strict=True)), 0)
        s.settle()
    return decided


def test_nothing_is_let_through_before_arming() -> None:
    s = supervisor(arm())
    assert drive(s, map(reading, range(1, 6))) == [None] * 5
    s.arm()
    assert all(command is not None for command in drive(s, map(reading, range(6, 9))))
    assert [change.state for change in s.history] == [State.DISABLED, State.RAMP]


def test_position_drives_ramp_from_the_measured_pose() -> None:
    s = supervisor(arm())
    s.arm()
    sent = drive(s, [reading(n, (1.0, -1.2)) for n in range(1, 13)], {"a": 0.8, "b": -1.0})
    first = [command[0] for command in sent if command]
    assert first == pytest.approx([1.0 - 0.02 * n for n in range(10)] + [0.8, 0.8], abs=1e-4)
    assert sent[0] == pytest.approx([1.0, -1.2], abs=1e-5)
    assert s.state is State.ACTIVE


def test_a_pose_outside_the_limits_is_approached_from_the_limit() -> None:
    s = supervisor(arm())
    s.arm()
    assert drive(s, [reading(1, (1.9, -1.9))]) == [[1.5, -1.5]]


@pytest.mark.parametrize("pose", [(nan, 0.0), (None, 0.0), ("x", 0.0), (), (inf, inf)])
def test_no_ramp_begins_at_a_pose_that_cannot_be_read(pose: tuple[Any, ...]) -> None:
    s = supervisor(arm())
    s.arm()
    bad = [replace(reading(n), signals={"joint_pos": pose, "joint_vel": (0.0, 0.0)}) for n in range(1, 4)]
    assert drive(s, bad) == [None] * 3
    assert drive(s, [reading(4, (1.0, 1.0))])[0] == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("mode", ["torque", "velocity"])
def test_other_drives_ramp_authority_from_nothing(mode: str) -> None:
    s = supervisor(arm(mode))
    s.arm()
    sent = drive(s, map(reading, range(1, 13)), {"a": 1.0, "b": -0.5})
    assert [command[0] for command in sent if command] == pytest.approx([0.1 * n for n in range(11)] + [1.0])


def test_a_soft_stop_leads_to_the_safe_command_in_its_time() -> None:
    s = supervisor(arm("torque"), soft_stop_time=0.2)
    s.arm()
    drive(s, map(reading, range(1, 40)), {"a": 1.0, "b": 1.0})
    s.stop("enough")
    s.settle()
    sent = drive(s, map(reading, range(40, 52)))
    assert [command[0] for command in sent if command] == pytest.approx([1.0 - 0.1 * n for n in range(1, 11)])
    assert sent[10:] == [None, None]
    assert [tuple(change)[::2] for change in s.history[-2:]] == [
        (State.SOFT_STOP, "enough"),
        (State.DISABLED, "soft stop is over: enough"),
    ]
    assert s.settle() == "enough"


def test_a_soft_stop_is_bounded_by_the_clock_on_the_wall_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A robot whose readings come far apart must not stretch it."""
    now = [100.0]
    monkeypatch.setattr("export.runtime.supervisor.monotonic", lambda: now[0])
    s = supervisor(arm("torque"), soft_stop_time=0.2)
    s.arm()
    drive(s, map(reading, range(1, 20)))
    s.stop()
    s.settle()
    now[0] += 0.3
    assert drive(s, [reading(20)]) == [None]
    assert s.state is State.DISABLED


def test_only_arming_leaves_a_fault() -> None:
    s = supervisor(arm())
    s.arm()
    s.fault("a tree fell")
    s.stop()
    s.disable("over")
    s.fault("another one")
    assert drive(s, map(reading, range(1, 50))) == [None] * 49
    assert (s.state, s.reason) == (State.FAULT, "a tree fell")
    s.arm("cleared")
    s.arm("twice")
    assert [tuple(change) for change in s.history[-2:]] == [
        (State.FAULT, 0, "a tree fell"),
        (State.RAMP, 49, "cleared"),
    ]
    assert drive(s, [reading(51, (0.2, 0.2))])[0] == pytest.approx([0.2, 0.2], abs=1e-4)


def test_arming_again_forgets_what_the_guards_had_counted() -> None:
    s = supervisor(arm(noise=0.01), frozen={"joint_pos": 0.1})
    s.arm()
    stuck = [replace(reading(n), signals={"joint_pos": (0.0, 0.0), "joint_vel": (0.0, 0.0)}) for n in range(1, 99)]
    drive(s, stuck[:6])
    assert s.state is State.FAULT
    s.arm()
    drive(s, stuck[6:11])
    assert s.state is State.RAMP, "five more readings are not yet six the same"
    drive(s, stuck[11:12])
    assert s.state is State.FAULT


class Doubtful:
    """A monitor that mistrusts some ticks."""

    def __init__(self, ticks: range, command: dict[str, float] | None = None) -> None:
        self._ticks, self._command = ticks, command

    def judge(self, reading: Reading, command: Mapping[str, float]) -> Verdict:
        doubt = reading.sequence in self._ticks
        return Verdict("fall_back", "odd", self._command) if doubt else Verdict()


def test_a_monitor_takes_over_and_gives_back_by_a_ramp() -> None:
    contract = arm("torque")
    config = SupervisorConfig.of(contract, overrides={"ramp_time": 0.2})
    s = Supervisor(contract, config, Doubtful(range(40, 60), {"a": -9.0, "b": 0.3}))
    s.arm()
    sent = drive(s, map(reading, range(1, 90)), {"a": 1.0, "b": 1.0})
    assert sent[38] == [1.0, 1.0]
    assert sent[39] == pytest.approx([0.9, 0.9]), "at the rate limit"
    assert sent[58] == pytest.approx([-0.9 - 0.1, 0.3]), "inside the limits in the end"
    assert sent[59] == pytest.approx(sent[58] or []), "authority begins at nothing again"
    assert sent[-1] == [1.0, 1.0]
    assert [c.state for c in s.history[1:]] == [
        State.RAMP,
        State.ACTIVE,
        State.FALLBACK,
        State.RAMP,
        State.ACTIVE,
    ]


def run(policy: Policy, driver: Any, s: Supervisor | None, **settings_: Any) -> tuple[Any, list[Tick]]:
    ticks: list[Tick] = []
    report = run_loop(policy, driver, supervisor=s, on_tick=ticks.append, **settings_)
    driver.close()
    return report, ticks


def test_in_lockstep_a_supervised_run_is_the_unsupervised_one(bundle: Bundle) -> None:
    """The scored twin: bit for bit what the policy alone does."""
    policy, driver, alone = Policy(bundle), SimDriver(worlds=2), []
    driver.connect()
    while not (r := driver.read()).session_end:
        if r.trial_end:
            continue
        if r.trial_start:
            policy.start_trial()
        alone.append(driver.write(policy.step(r.signals, episode_start=r.episode_start)))
        policy.sent(alone[-1])
    driver.close()
    again = SimDriver(worlds=2)
    report, ticks = run(Policy(bundle), again, None)
    assert [tick.sent for tick in ticks] == alone
    assert again.scores == driver.scores
    assert [change.state for change in report.states] == [State.DISABLED, State.ACTIVE, State.DISABLED]


def test_a_held_fault_waits_for_arming_in_the_loop(bundle: Bundle) -> None:
    robot = FaultyRobot(None)
    s = Supervisor(ARM, SupervisorConfig.of(ARM, "realtime", {"hold_on_fault": True, "ramp_time": 0.1}))
    s.arm()

    def meddle(tick: Tick) -> None:
        if s.ticks == 20:
            s.fault("tripped over")
        if s.ticks == 30:
            s.arm("cleared")

    report = run_loop(Policy(bundle), robot, supervisor=s, on_tick=meddle)
    robot.close()
    assert [i for i, written in enumerate(robot.log) if written.command is None] == [*range(20, 30), 300]
    assert [c.tick for c in report.states if c.state is State.RAMP] == [0, 30]
    assert report.completed
    assert report.plain()["states"][3] == {"state": "fault", "tick": 20, "reason": "tripped over"}


def test_a_supervisor_in_fault_ends_a_new_run_before_it_moves(bundle: Bundle) -> None:
    s = supervisor(ARM)
    s.fault("still broken")
    report, ticks = run(Policy(bundle), FaultyRobot(None), s)
    assert (report.stopped, report.completed, ticks) == ("still broken", False, [])


def test_the_time_being_over_ends_a_run_softly(bundle: Bundle) -> None:
    robot = FaultyRobot(None)
    s = Supervisor(ARM, SupervisorConfig.of(ARM, "realtime", {"soft_stop_time": 0.1, "ramp_time": 0.0}))
    s.arm()
    report = run_loop(Policy(bundle), robot, supervisor=s, max_seconds=0.0)
    robot.close()
    assert (report.stopped, report.completed) == ("0 s are over", True)
    assert [change.state for change in report.states[2:]] == [State.SOFT_STOP, State.DISABLED]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"ramp_tme": 1}, "unknown key 'ramp_tme'; did you mean 'ramp_time'"),
        ({"position": {"elbow": [0, 1]}}, "position of 'elbow', which is not measured; .*valid: shoulder"),
        ({"position": {"shoulder": [1, 0]}}, "position.shoulder is .*low has to be below high"),
        ({"frozen": {"joint_poss": 1.0}}, "frozen of 'joint_poss', .*did you mean 'joint_pos'"),
        ({"tilt": 0.5}, "tilt needs a signal projected_gravity or base_quat_xyzw"),
        ({"refusals": {"count": 3, "of": 2}}, "3 of 2 can never be reached"),
        ({"ramp_time": -1}, "'ramp_time' is -1"),
    ],
)
def test_a_wrong_threshold_is_named(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"mine.yaml: .*{message}"):
        SupervisorConfig.of(ARM, overrides=overrides, source="mine.yaml")


def test_a_file_changes_what_it_names_and_null_switches_off() -> None:
    changes = {"position": {"shoulder": None}, "refusals": {"count": 3}, "tilt": None}
    config = SupervisorConfig.of(ARM, overrides=changes)
    assert config.position == {"shoulder": None}
    assert (config.refusals.count, config.refusals.of) == (3, 20)
    assert config.velocity == SupervisorConfig.of(ARM).velocity
    s = Supervisor(ARM, config)
    s.arm()
    beyond = [Reading(n, 0.02 * n, {"joint_pos": [3.0 + 1e-5 * n], "joint_vel": [1e-5 * n]}) for n in range(1, 30)]
    drive(s, beyond)
    assert s.state is State.ACTIVE


def test_in_lockstep_nothing_limits_the_motion_but_what_a_file_names() -> None:
    config = SupervisorConfig.of(ARM, "lockstep", {"velocity": {"shoulder": [-1.0, 1.0]}})
    assert (config.ramp_time, config.soft_stop_time, config.missed_deadlines) == (0.0, 0.0, None)
    assert (config.position, config.velocity, config.tilt) == ({}, {"shoulder": (-1.0, 1.0)}, None)
    assert config.frozen == SupervisorConfig.of(ARM).frozen
    assert SupervisorConfig.of(load_robot("a1")[0].contract).tilt == 1.2


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.1, 1.3, 3.0])
def test_gravity_and_quaternion_agree_on_the_tilt(angle: float) -> None:
    signals = {
        "projected_gravity": [2 * sin(angle), 0.0, -2 * cos(angle)],
        "base_quat_xyzw": [0.0, sin(angle / 2), 0.0, cos(angle / 2)],
    }
    leaning = [Tilt(name, 1.2).check(signals) is not None for name in signals]
    assert leaning == [angle > 1.2] * 2


def test_turning_about_the_vertical_is_no_tilt() -> None:
    assert Tilt("q", 0.1).check({"q": [0.0, 0.0, sin(pi / 3), cos(pi / 3)]}) is None


def test_noise_is_not_frozen_and_steps_are_not_stuck() -> None:
    rng = np.random.default_rng(0)
    frozen = Frozen("x", 5)
    assert not any(frozen.check({"x": row}) for row in rng.normal(size=(1000, 3)).tolist())
    columns = {"a": ("pos", 0)}, {"a": ("vel", 0)}
    encoder = StuckEncoder({"a": 0.05}, *columns, 0.02)
    slow = [{"pos": [round(0.3 * 0.02 * n, 2)], "vel": [0.3 + rng.normal(0, 0.5)]} for n in range(1000)]
    assert not any(encoder.check(signals) for signals in slow)
    at_rest = [{"pos": [0.3], "vel": [v]} for v in rng.normal(0, 0.05, 1000)]
    assert not any(encoder.check(signals) for signals in at_rest)
    biased = [{"pos": [0.3], "vel": [v]} for v in rng.normal(0.05, 0.05, 1000)]
    assert not any(encoder.check(signals) for signals in biased)
    assert any(encoder.check({"pos": [0.3], "vel": [1.0]}) for _ in range(4))


def test_one_frozen_value_among_many_is_found() -> None:
    frozen = Frozen("x", 5)
    found = [frozen.check({"x": [n, 7.0, -n]}) for n in range(6)]
    assert found[:5] == [None] * 5
    assert found[5] == "x[1] has read 7 for 6 readings"


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 8), st.integers(0, 20))
def test_recent_counts_as_counting_does(bad: list[bool], count: int, more: int) -> None:
    recent = Recent(count, count + more)
    for t, now in enumerate(bad):
        window = bad[max(0, t + 1 - count - more) : t + 1]
        assert recent.add(now) == (sum(window) >= count)


def test_joints_are_found_by_name_whatever_the_signal_is_called() -> None:
    data = arm().plain()
    data["signals"] = [
        {"name": "knee", "source": "joint_pos(b)", "size": 1, "unit": "rad"},
        {"name": "speeds", "source": "joint_vel(b, passive)", "size": 2, "unit": "rad/s"},
    ]
    contract = Contract.parse(data)
    assert joint_columns(contract, "joint_pos") == {"b": ("knee", 0)}
    assert joint_columns(contract, "joint_vel") == {"b": ("speeds", 0)}


def test_signals_are_caught_once_and_given_back() -> None:
    asked: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(asked.append):
        signal.raise_signal(signal.SIGTERM)
        assert asked == ["interrupted by SIGTERM"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored_and_threads_are_left_alone(bundle: Bundle) -> None:
    asked: list[str] = []
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stop_signals(asked.append):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not asked
    reports: list[Any] = []
    thread = Thread(target=lambda: reports.append(run(Policy(bundle), SimDriver(), None)[0]))
    thread.start()
    thread.join()
    assert reports[0].completed


anything: st.SearchStrategy[Any] = st.one_of(
    st.floats(), st.floats(-4, 4), st.integers(), st.none(), st.text(max_size=3), st.booleans(), st.just([0.1])
)
mostly_good = st.one_of(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), anything)
values = st.one_of(st.lists(mostly_good, min_size=1, max_size=1), st.lists(mostly_good, max_size=3))


@st.composite
def arbitrary_readings(draw: st.DrawFn, names: Sequence[str], sizes: Sequence[int]) -> list[Reading]:
    sequence, now, made = 0, 0.0, []
    for n in range(draw(st.integers(1, 25))):
        sequence += draw(st.sampled_from([1, 1, 1, 1, 1, 0, 2, -3, 500]))
        now += draw(st.one_of(st.just(0.02), st.just(0.02), st.just(0.02), st.floats()))
        good = {
            name: draw(st.lists(st.floats(-2, 2), min_size=k, max_size=k)) for name, k in zip(names, sizes, strict=True)
        }
        change = draw(st.dictionaries(st.sampled_from([*names, "other"]), values, max_size=2))
        flags = draw(st.sampled_from([(False, False)] * 4 + [(True, False), (True, True)]))
        broken = draw(st.integers(0, 3)) == 0
        signals = {**good, **change} if broken else good
        made.append(Reading(sequence, now, signals, flags[0] or n == 0, flags[1]))
    return made


class Scripted:
    """A driver that reads what it is given, reports what it is told to, and keeps what it was sent."""

    def __init__(self, contract: Contract, readings: Sequence[Reading], report: Callable[[float], float]) -> None:
        self.features = Features.of(contract)
        self._readings, self._report = list(readings), report
        self.log: list[Written] = []
        self.reported: list[dict[str, float]] = []

    def connect(self) -> Features:
        return self.features

    def read(self) -> Reading:
        if not self._readings:
            return Reading(0, 0.0, {}, trial_end=True, session_end=True)
        self._now = self._readings.pop(0)
        return self._now

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        self.log.append(Written(self._now, dict(command)))
        return {name: self._report(value) for name, value in command.items()}

    def stop(self) -> dict[str, float]:
        if hasattr(self, "_now"):
            self.log.append(Written(self._now, None))
        return self.features.safe_command

    def close(self) -> None:
        """Nothing to let go of."""


class Whatever:
    """A policy that checks nothing and answers what it is told to, one command after the other."""

    def __init__(self, contract: Contract, commands: Sequence[Any]) -> None:
        self.contract, self._commands = contract, commands
        self._step = -1

    def start_trial(self) -> None:
        """Without memory."""

    def step(self, signals: Any, **others: Any) -> Any:
        self._step += 1
        return self._commands[self._step % len(self._commands)]

    def sent(self, command: Mapping[str, float]) -> None:
        assert all(map(isfinite, command.values()))


@given(readings=arbitrary_readings(ARM.signal_names, (1, 1, 1)), ramp=st.sampled_from([0.0, 0.06]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_exported_policy_reads_its_commands_are_clamped(
    bundle: Bundle, policy: Policy, readings: list[Reading], ramp: float
) -> None:
    driver = Scripted(ARM, readings, lambda value: value)
    s = supervisor(ARM, ramp_time=ramp)
    s.arm()
    run_loop(policy, driver, supervisor=s)
    check_commands(driver.log, ARM)
    assert driver.log[-1].command is None
    assert s.state in (State.DISABLED, State.FAULT)


@pytest.fixture(scope="module")
def policy(bundle: Bundle) -> Policy:
    return Policy(bundle)


any_command = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats() | st.none() | st.text(max_size=2))
good_command = st.fixed_dictionaries({"a": st.floats(-1e3, 1e3), "b": st.floats(-3, 3)})


@given(
    mode=st.sampled_from(["torque", "position", "velocity"]),
    readings=arbitrary_readings(("joint_pos", "joint_vel"), (2, 2)),
    commands=st.lists(st.one_of(good_command, good_command, any_command), min_size=1, max_size=6),
    verdict=st.sampled_from([None, Verdict(), Verdict("fall_back"), Verdict("stop"), Verdict("odd")])  # type: ignore[arg-type]
    | st.builds(Verdict, st.just("fall_back"), st.just(""), any_command),
    ramp=st.sampled_from([0.0, 0.1]),
    stop_at=st.integers(0, 40),
)
@settings(max_examples=80, deadline=None)
def test_whatever_anybody_says_no_command_leaves_unclamped(
    mode: str,
    readings: list[Reading],
    commands: list[Any],
    verdict: Verdict | None,
    ramp: float,
    stop_at: int,
) -> None:
    class Says:
        def judge(self, reading: Reading, command: Mapping[str, float]) -> Verdict:
            return verdict or Verdict()

    contract = arm(mode)
    config = SupervisorConfig.of(contract, "realtime", {"ramp_time": ramp, "soft_stop_time": 0.1})
    s = Supervisor(contract, config, Says())
    s.arm()
    driver = Scripted(contract, readings, lambda value: value)
    run_loop(
        Whatever(contract, commands), driver, supervisor=s, on_tick=lambda t: s.stop() if s.ticks == stop_at else None
    )
    log = driver.log
    while log and log[0].command is None:  # the ramp has not begun
        log = log[1:]
    if log:
        check_commands(log if ramp or mode != "position" else [Written(log[0].reading, None), *log], contract)
    assert driver.log[-1].command is None


@given(wrong=st.floats() | st.floats(-20, 20))
@settings(max_examples=50, deadline=None)
def test_a_driver_that_reports_nonsense_is_not_believed(wrong: float) -> None:
    readings = [Reading(n, 0.02 * n, {"joint_pos": [1e-5 * n], "joint_vel": [2e-5 * n]}) for n in range(1, 20)]
    driver = Scripted(ARM, readings, lambda value: wrong)
    s = supervisor(ARM, ramp_time=0.0)
    s.arm()
    report = run_loop(Whatever(ARM, [{"shoulder": 3.0}]), driver, supervisor=s)
    believed = -10 - 1e-5 <= wrong <= 10 + 1e-5
    assert (s.state is State.FAULT) == (not believed) or abs(abs(wrong) - 10) < 1e-4
    assert believed == report.completed or abs(abs(wrong) - 10) < 1e-4
    assert all(-10 <= (written.command or {"shoulder": 0.0})["shoulder"] <= 10 for written in driver.log)


def test_the_safe_command_is_inside_the_limits_of_every_mode() -> None:
    for mode in ("torque", "position", "velocity"):
        contract = arm(mode)
        pairs = zip(safe_command(contract), contract.command_limits, strict=True)
        assert all(low <= value <= high for value, (low, high) in pairs)
