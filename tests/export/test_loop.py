"""The run loop: an exported policy drives a real simulated robot, and every way out leaves the robot safe."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from export.bundle import Bundle
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from export.runtime.recorder import Recorder, Tick
from export.runtime.report import RunReport, loaded_modules
from export.runtime.supervisor import Supervisor
from export.runtime.supervisor_config import SupervisorConfig
from robots.contract import Contract
from robots.drivers.base import ContractMismatch, Driver, Features, Reading
from robots.drivers.sim import SimDriver
from robots.drivers.udp import UdpDriver
from robots.packets import Kind
from robots.recordings.files import read_recording
from tests.export.tiny_policy import TinyGru, servo_arm, tiny_bundle
from tests.robots.twin_process import HandMadeRobot, TwinProcess, play_in_process, sense


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny.zip", TinyGru())


@pytest.fixture(scope="module")
def twin() -> Iterator[TwinProcess]:
    process = TwinProcess()
    yield process
    process.kill()


class Faulty(SimDriver):
    """A robot whose first joint sensor reads `fault` on some ticks; keeps what it was sent, None for a stop."""

    def __init__(self, ticks: Sequence[int], fault: float = nan) -> None:
        super().__init__("servo_arm")
        self._ticks, self._fault = ticks, fault
        self.log: list[float | None] = []

    def read(self) -> Reading:
        reading = super().read()
        if len(self.log) not in self._ticks or reading.trial_end:
            return reading
        signals = {**reading.signals, "joint_pos": (self._fault,)}
        return Reading(reading.sequence, reading.time, signals, reading.episode_start, reading.trial_start)

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        self.log.append(command["shoulder"])
        return super().write(command)

    def stop(self) -> dict[str, float]:
        self.log.append(None)
        return super().stop()


def held(command: float) -> Callable[..., dict[str, float]]:
    return lambda signals, **others: {"shoulder": command}


def patient(refusals: int) -> Supervisor:
    """An armed supervisor of the servo arm that bears so many refusals, less one."""
    contract = servo_arm()[0]
    share = {"count": refusals, "of": refusals + 1}
    supervisor = Supervisor(contract, SupervisorConfig.of(contract, "lockstep", {"refusals": share}))
    supervisor.arm()
    return supervisor


class Fixed:
    """The least a policy can be: one answer to everything."""

    def __init__(self, contract: Contract, step: Callable[..., dict[str, float]] | None = None) -> None:
        self.contract = contract
        self.trials = 0
        self.step = step or held(4.0)

    def start_trial(self) -> None:
        self.trials += 1

    def sent(self, command: Mapping[str, float]) -> None:
        self.last = dict(command)


def drive(policy: Policy, driver: Driver, **settings: object) -> tuple[RunReport, list[Tick]]:
    ticks: list[Tick] = []
    report = run_loop(policy, driver, on_tick=ticks.append, **settings)  # type: ignore[arg-type]
    driver.close()
    return report, ticks


def test_the_exported_policy_drives_the_twin_as_it_drives_the_simulation(bundle: Bundle, twin: TwinProcess) -> None:
    here = SimDriver(worlds=2, effect="cable+cogging")
    report, ticks = drive(Policy(bundle), here)
    port = twin.start(worlds=2, pace="lockstep")
    over_udp, udp_ticks = drive(Policy(bundle), UdpDriver("127.0.0.1", port, bundle.manifest.contract))
    score = twin.score()
    assert here.scores == score.worlds
    assert [t.sent for t in ticks] == [t.sent for t in udp_ticks]
    assert (over_udp.ticks, over_udp.trials, over_udp.episodes) == (600, 2, 6)
    assert (report.ticks, report.trials, report.episodes) == (600, 2, 6)
    assert over_udp.completed
    assert over_udp.stopped == "the robot ended its session after 2 trials"
    assert (over_udp.skipped_readings, over_udp.refused_readings, score.clamped_commands) == (0, 0, 0)
    assert over_udp.latency.count == over_udp.preempted_ticks + over_udp.latency_undisturbed.count == 600
    assert json.loads(json.dumps(over_udp.plain()))["latency"]["count"] == 600


def test_a_recorded_run_replays_to_the_same_score(bundle: Bundle, tmp_path: Path) -> None:
    driver = SimDriver()
    with Recorder(tmp_path / "run.npz", bundle.manifest.contract) as recorder:
        drive(Policy(bundle), driver, recorder=recorder)
    recording = read_recording(tmp_path / "run.npz")
    assert len(recording.time) == 300
    assert np.flatnonzero(recording.episode_start).tolist() == [0, 100, 200]
    again = play_in_process(lambda trials, tick: trials.step([recording.sent["shoulder"][tick]]), effect="none")
    assert again == driver.scores


def test_trials_and_seconds_end_a_run(bundle: Bundle) -> None:
    report, _ = drive(Policy(bundle), SimDriver(worlds=2), trials=1)
    assert (report.stopped, report.trials, report.completed) == ("1 trials played", 1, True)
    report, _ = drive(Policy(bundle), SimDriver(), max_seconds=0.2, pace="realtime")
    assert (report.stopped, report.completed) == ("0.2 s are over", True)
    assert 8 <= report.ticks <= 11


@pytest.mark.parametrize("fault", [nan, inf, 4.0])
def test_a_bad_reading_sends_the_safe_command_and_the_run_goes_on(bundle: Bundle, fault: float) -> None:
    driver = Faulty([10, 11], fault)
    report, ticks = drive(Policy(bundle), driver)
    assert report.refused_readings == 2
    assert report.ticks == 300
    assert driver.log[10:12] == [0.0, 0.0]
    assert ticks[10].sent == {"shoulder": 0.0}
    assert ticks[10].requested is None
    assert "signal joint_pos[0] is" in (ticks[10].refused or "")
    assert driver.log[12] is not None


def test_too_many_refusals_in_a_row_end_the_run(bundle: Bundle) -> None:
    driver = Faulty(range(5, 300))
    report, _ = drive(Policy(bundle), driver, supervisor=patient(4))
    assert not report.completed
    assert report.stopped.startswith("4 refusals among the last 5 readings, the last: signal joint_pos[0] is nan rad")
    assert driver.log[5:] == [0.0, 0.0, 0.0, None, None], "the last refused reading is a fault; then the way out"


def test_a_command_that_is_not_finite_never_leaves(bundle: Bundle) -> None:
    class Poisoned(Policy):
        def start_trial(self) -> None:
            super().start_trial()
            self._graph.carry["memory"].fill(nan)

    policy, driver = Poisoned(bundle), Faulty([])
    report, _ = drive(policy, driver, supervisor=patient(3))
    assert (report.refused_commands, report.refused_readings) == (3, 0)
    assert driver.log == [0.0, 0.0, None, None]


@pytest.mark.parametrize("error", [RuntimeError("out of cheese"), SystemExit()])
def test_an_exception_leaves_the_robot_safe(error: BaseException) -> None:
    driver = Faulty([])

    def explode(tick: Tick) -> None:
        if len(driver.log) == 7:
            raise error

    with pytest.raises(type(error)):
        run_loop(Fixed(servo_arm()[0]), driver, on_tick=explode)
    assert driver.log == [4.0] * 7 + [None]
    driver.close()


def test_control_c_leaves_the_robot_safe_and_reports() -> None:
    driver = Faulty([])

    def interrupt(tick: Tick) -> None:
        raise KeyboardInterrupt

    report = run_loop(Fixed(servo_arm()[0]), driver, on_tick=interrupt)
    assert (report.stopped, report.completed, driver.log) == ("interrupted", False, [4.0, None])
    driver.close()


def test_a_killed_twin_ends_the_run_and_says_so(bundle: Bundle) -> None:
    doomed = TwinProcess()
    driver = UdpDriver("127.0.0.1", doomed.start(worlds=9, pace="lockstep"), bundle.manifest.contract, timeout=0.3)
    driver.connect()

    def kill(tick: Tick) -> None:
        if tick.reading.sequence == 50:
            doomed.kill()

    report = run_loop(Policy(bundle), driver, on_tick=kill)
    driver.close()
    assert report.ticks in (50, 51), "one more reading may have been under way"
    assert not report.completed
    assert report.stopped.endswith("did not answer for 0.3 s; check its power and line, then run again")


def test_a_robot_that_falls_silent_is_told_to_stop() -> None:
    contract = servo_arm()[0]
    robot = HandMadeRobot(Features.of(contract))
    driver = UdpDriver("127.0.0.1", robot.port, contract, timeout=0.2)
    reports: list[RunReport] = []
    running = Thread(target=lambda: reports.append(run_loop(Fixed(contract), driver)))
    running.start()
    robot.welcome()
    robot.send(sense(1))
    first = robot.receive()
    robot.send(sense(4))
    heard = [first, robot.receive(), robot.receive()]
    running.join()
    assert [(p.kind, p.sequence) for p in heard] == [(Kind.COMMAND, 1), (Kind.COMMAND, 4), (Kind.STOP, 4)]
    assert "did not answer for 0.2 s" in reports[0].stopped
    assert (reports[0].skipped_readings, reports[0].missed_deadlines) == (2, 2)
    driver.close()
    robot.close()


def test_slow_ticks_are_missed_deadlines() -> None:
    def slowly(signals: object, **others: object) -> dict[str, float]:
        time.sleep(0.021)
        return {"shoulder": 0.0}

    report = run_loop(Fixed(servo_arm()[0], slowly), SimDriver(), max_seconds=0.1)
    assert report.slow_ticks == report.missed_deadlines == report.ticks > 0
    assert report.latency.percentile(50) > 20_000


def test_every_trial_begins_afresh() -> None:
    policy, driver = Fixed(servo_arm()[0]), SimDriver(worlds=3)
    run_loop(policy, driver)
    assert policy.trials == 3
    driver.close()


class StartsLost(SimDriver):
    """A line that loses what says that a trial or an episode starts."""

    def read(self) -> Reading:
        return replace(super().read(), episode_start=False, trial_start=False)


def test_after_the_end_of_a_trial_another_begins_even_if_its_start_is_lost() -> None:
    started: list[bool] = []

    def step(signals: object, *, episode_start: bool, **others: object) -> dict[str, float]:
        started.append(episode_start)
        return {"shoulder": 0.0}

    policy, driver = Fixed(servo_arm()[0], step), StartsLost(worlds=3)
    run_loop(policy, driver)
    assert (policy.trials, sum(started)) == (3, 3)
    driver.close()


def test_what_the_robot_cannot_give_is_refused_before_moving() -> None:
    contract = servo_arm()[0]
    for change, expected in (({"needs_reward": True}, ConfigError), ({"control_dt": 0.01}, ContractMismatch)):
        driver = Faulty([])
        with pytest.raises(expected, match="needs a reward|contracts differ"):
            run_loop(Fixed(Contract.parse(contract.plain() | change)), driver)
        assert driver.log == [None]
        driver.close()


def test_the_loop_over_udp_loads_nothing_that_learns_or_simulates() -> None:
    program = "import export.runtime.loop as l, robots.drivers.udp\nprint(*l.loaded_modules())"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    modules = found.stdout.split()
    assert {"export", "robots", "numpy", "onnxruntime"} <= set(modules)
    assert not {"torch", "pybullet", "gymnasium", "onnx"} & set(modules)
    assert "torch" in loaded_modules(), "the tests' own process does load it"
