"""What the logs of real machines are found to be, and what they can tell."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.sdk.command_line import Simshift

REAL = Path(os.environ.get("SIMSHIFT_REAL_LOGS", Path(__file__).parents[4] / "shared/data/real_logs"))
ROBOTS = Path(__file__).parents[3] / "benchmarks/robots"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real logs in {REAL}; set SIMSHIFT_REAL_LOGS")

PENDULUM = "joints: {shoulder: {pos: position, vel: velocity, command: torque}}\narray: measured\n"


def test_torque_scale_and_mass_of_the_simple_pendulum_are_reported_as_one(simshift: Simshift, tmp_path: Path) -> None:
    columns = tmp_path / "map.yaml"
    columns.write_text(PENDULUM)
    log = REAL / "dfki_simple_pendulum/runs/energy_shaping.npz"
    options = ["--columns", columns, "--assess", "--segments", "40", "--json"]
    found = simshift("identify", ROBOTS / "simple_pendulum", "--logs", log, *options)
    assert found.code == 0, found.err
    facts = json.loads(found.out, parse_constant=pytest.fail)
    verdicts = {row["parameter"]: row["verdict"] for row in facts["parameters"]}
    assert verdicts["mass"] != "identified"
    assert verdicts["motor_gain"] != "identified"
    assert {"mass", "motor_gain"} in [set(pair["pair"]) for pair in facts["pairs"]]


def test_the_double_pendulums_runs_are_sound_and_spoilt_ones_are_not(simshift: Simshift, tmp_path: Path) -> None:
    log = REAL / "dfki_double_pendulum/design_C.0/sysid/20220914_sys_id_00.npz"
    found = simshift("logs", "inspect", log, "--robot", "double_pendulum", "--json")
    assert found.code == 0, found.out
    (facts,) = json.loads(found.out)
    assert facts["torque_lag"] == pytest.approx(0.015, abs=0.006)
    swapped = tmp_path / "swapped.yaml"
    swapped.write_text(
        "joints: {shoulder: {pos: pos_meas1, vel: vel_meas2, command: tau_con1},"
        " elbow: {pos: pos_meas2, vel: vel_meas1, command: tau_con2}}"
    )
    wrong = simshift("logs", "inspect", log, "--robot", "double_pendulum", "--columns", swapped)
    assert wrong.code == 1
    assert "refused" in wrong.out


def test_joints_mapped_the_wrong_way_round_are_refused(simshift: Simshift, tmp_path: Path) -> None:
    log = REAL / "dfki_double_pendulum/design_C.0/sysid/20220914_sys_id_00.npz"
    exchanged = tmp_path / "exchanged.yaml"
    exchanged.write_text(
        "joints: {shoulder: {pos: pos_meas2, vel: vel_meas2, command: tau_con2},"
        " elbow: {pos: pos_meas1, vel: vel_meas1, command: tau_con1}}"
    )
    wrong = simshift("identify", "double_pendulum", "--logs", log, "--columns", exchanged, "--assess")
    assert wrong.code == 2
    assert "with shoulder and elbow exchanged" in " ".join(wrong.err.split())
