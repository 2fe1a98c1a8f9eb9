"""`simshift logs` as a person or a script meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.robots.logbook.sine_log import sine_log
from tests.sdk.command_line import Simshift

NAMES = ("time", "pos_meas1", "pos_meas2", "vel_meas1", "vel_meas2", "tau_con1", "tau_con2")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A sound run of a double pendulum, and one whose time is shuffled."""
    log = sine_log(3.0, lag=0.02, noise=(0.001, 0.02))
    data = np.column_stack([log.time, log.joint_pos, log.joint_vel, log.command])
    np.savez(tmp_path / "sound.npz", columns=np.array(NAMES), data=data)
    data[[9, 10], 0] = data[[10, 9], 0]
    np.savez(tmp_path / "shuffled.npz", columns=np.array(NAMES), data=data)
    return tmp_path / "sound.npz", tmp_path / "shuffled.npz"


def test_a_sound_log_is_examined_and_tells(simshift: Simshift, files: tuple[Path, Path]) -> None:
    found = simshift("logs", "inspect", files[0], "--robot", "double_pendulum", "--json")
    assert found.code == 0, found.err
    (facts,) = json.loads(found.out, parse_constant=pytest.fail)
    assert (facts["run"], facts["sound"], facts["rows"]) == ("sound", True, 600)
    assert facts["delay"]["shoulder"] == pytest.approx(0.02, abs=0.005)
    assert facts["vel_noise"]["elbow"] == pytest.approx(0.02, rel=0.3)
    assert any("acts about" in sentence for sentence in facts["tells"])
    assert "acts about" in simshift("logs", "inspect", files[0], "--robot", "double_pendulum").out


def test_a_refused_log_ends_with_status_one(simshift: Simshift, files: tuple[Path, Path]) -> None:
    found = simshift("logs", "inspect", *files, "--robot", "double_pendulum")
    assert found.code == 1
    assert "✘ shuffled" in found.out
    assert "refused, clock: shuffled.npz, row 10: time is" in found.out


def test_without_robot_the_map_names_the_joints(simshift: Simshift, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert "neither robot nor column map" in simshift("logs", "inspect", files[0]).err
    columns = tmp_path / "map.yaml"
    columns.write_text("joints: {arm: {pos: pos_meas1, vel: vel_meas1, command: tau_con1}}")
    assert simshift("logs", "inspect", files[0], "--columns", columns).code == 0
    columns.write_text("joints: {arm: {pos: pos_meas1, velocity: vel_meas1}}")
    wrong = simshift("logs", "inspect", files[0], "--columns", columns)
    assert wrong.code == 2
    assert "unknown key 'joints.arm.velocity'; did you mean 'vel'" in " ".join(wrong.err.split())
