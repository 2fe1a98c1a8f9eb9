"""A recording is a log: what a simulation is judged by, episode by episode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.logs import log_files
from robots.recordings.as_logs import read_logs
from robots.recordings.files import create_recording
from robots.recordings.recording import Origin, Tick


def record(path: Path, contract: Contract, silent: tuple[int, ...] = ()) -> Path:
    writer = create_recording(path, Origin(contract))
    for i in range(250):
        signals = {"joint_pos": [0.01 * i], "joint_vel": [0.5], "joint_pos_target": [0.0]}
        reading = Reading(i + 1, 0.02 * i, {} if i in silent else signals, episode_start=i % 100 == 0)
        writer.add(Tick(reading, {"shoulder": 3.0}, {"shoulder": float(i)}, 100.0), 0)
    writer.close(0)
    return path


@pytest.mark.parametrize("suffix", ["npz", "mcap"])
def test_each_episode_is_a_log(tmp_path: Path, contract: Contract, suffix: str) -> None:
    logs = read_logs(record(tmp_path / f"run.{suffix}", contract), 1)
    assert [(log.name, len(log.time)) for log in logs] == [("run#0", 100), ("run#1", 100), ("run#2", 50)]
    second = logs[1]
    assert second.time[0] == pytest.approx(2.0)
    assert second.joint_pos[0, 0] == pytest.approx(1.0)
    assert np.unique(second.joint_vel).tolist() == [0.5]
    assert second.command[0, 0] == 100.0, "what was sent, not what was asked for"
    assert second.torque is None


def test_ticks_without_a_reading_are_left_out(tmp_path: Path, contract: Contract) -> None:
    logs = read_logs(record(tmp_path / "run.npz", contract, silent=(3, *range(200, 250))), 1)
    assert [len(log.time) for log in logs] == [99, 100]


def test_a_recording_of_another_robot_is_refused(tmp_path: Path, contract: Contract) -> None:
    with pytest.raises(ConfigError, match="run.npz: a recording of servo_arm, which has 1 joints"):
        read_logs(record(tmp_path / "run.npz", contract), 2)


def test_a_robot_that_does_not_tell_its_velocity_gives_no_log(tmp_path: Path, contract: Contract) -> None:
    blind = contract.plain()
    blind["signals"] = [signal for signal in blind["signals"] if signal["name"] != "joint_vel"]
    with pytest.raises(ConfigError, match="no signal reads joint_vel of all joints; .*valid: joint_pos"):
        read_logs(record(tmp_path / "run.npz", Contract.parse(blind)), 1)


def test_a_folder_is_searched_for_both(tmp_path: Path, contract: Contract) -> None:
    files = [record(tmp_path / name, contract) for name in ("b.mcap", "a.npz")]
    (tmp_path / "notes.txt").write_text("cold today")
    assert log_files([tmp_path]) == files[::-1]
