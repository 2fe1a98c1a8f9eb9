"""The loop against a table of readings: what is late, by whose fault, and what is not fetched at all."""

from __future__ import annotations

from pathlib import Path
from time import sleep

import numpy as np
import pytest

from export.bundle import Bundle
from export.control_loop import TABLE, TableRobot, deadlines, drive_table, loop_times, readings
from robots.recordings.files import read_recording
from tests.export.test_policy import Rewarded, fake_bundle
from tests.export.tiny_policy import servo_arm

CONTRACT = servo_arm()[0]


def test_the_table_robot_is_driven_by_the_whole_loop(bundle: Bundle, tmp_path: Path) -> None:
    robot, report = drive_table(bundle, tmp_path / "a.npz", ticks=300)
    assert (report.ticks, report.refused_readings, report.skipped_readings) == (300, 0, 0)
    assert [change.state for change in report.states] == ["disabled", "ramp", "active", "disabled"]
    assert len(robot.turns_us) == 300
    recording = read_recording(tmp_path / "a.npz")
    assert len(recording) == 300
    assert max(abs(recording.sent["shoulder"])) <= 10.0


def test_a_policy_that_reads_its_reward_is_measured_too(bundle: Bundle, tmp_path: Path) -> None:
    contract = CONTRACT.model_copy(update={"needs_reward": True})
    _, report = drive_table(fake_bundle(Rewarded(), contract, bundle), tmp_path / "a.npz", ticks=100)
    assert (report.ticks, report.refused_readings) == (100, 0)


def test_no_reading_is_like_the_next() -> None:
    table = readings(CONTRACT)
    values = np.array([[value for signal in row.values() for value in signal] for row in table])
    assert values.shape == (TABLE, CONTRACT.obs_size)
    assert (np.diff(values, axis=0) != 0).all()


def test_another_control_period_is_the_contract_s(bundle: Bundle, tmp_path: Path) -> None:
    robot, report = drive_table(bundle, tmp_path / "a.npz", ticks=50, period=0.005, control_dt=0.005)
    assert robot.features.control_dt == 0.005
    assert report.ticks + report.skipped_readings >= 50
    assert report.seconds >= 0.245


def test_what_is_late_does_not_end_the_run(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableRobot, "_next_period", lambda robot: robot._sequence + 3)
    _, report = drive_table(bundle, tmp_path / "a.npz", ticks=300)
    assert report.completed
    assert report.missed_deadlines >= 200


def test_a_slow_policy_is_late_by_itself_and_a_late_start_is_the_scheduler_s() -> None:
    robot = TableRobot(CONTRACT, 10, 0.1)
    robot.read()
    sleep(0.12)
    robot.write({"shoulder": 0.0})
    assert robot.late == 1
    robot.read()
    robot.write({"shoulder": 0.0})
    assert robot.late == 1
    robot.read()
    robot._woke_late = True
    sleep(0.12)
    robot.write({"shoulder": 0.0})
    assert (robot.late, robot.late_by_scheduler >= 1) == (2, True)


def test_a_reading_not_fetched_is_skipped() -> None:
    robot = TableRobot(CONTRACT, 100, 0.01)
    first = robot.read().sequence
    sleep(0.05)
    assert robot.read().sequence >= first + 4


def test_what_was_late_and_why_is_summed_up(bundle: Bundle, tmp_path: Path) -> None:
    robot, report = drive_table(bundle, tmp_path / "a.npz", ticks=20, period=0.005, control_dt=0.005)
    robot.late, robot.late_by_scheduler = 5, 3
    loop = loop_times(robot, report, 200.0)
    assert (loop.late, loop.late_by_scheduler) == (5, 3)
    assert loop.periods == loop.ticks + loop.skipped >= 20
    assert loop.interrupted + report.latency_undisturbed.count == loop.ticks


def test_the_loop_runs_as_often_and_as_long_as_it_says(bundle: Bundle) -> None:
    loop = deadlines(bundle, 0.2, 250.0)
    assert loop.rate == 250.0
    assert loop.periods >= 50
