"""The doctor finds each fault where it is, says what to do, and leaves healthy robots alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain_rand.schema import ConfigError
from robots.doctor.examine import CHECKS, examine
from robots.drafting.folder import new_robot
from robots.spec import robot_names
from tests.robots.sick_robots import CONTRACT, MODEL, WORLDS, checks, found, spoiled, stock


@pytest.mark.parametrize("robot", robot_names())
def test_every_robot_is_healthy(robot: str) -> None:
    diagnosis = examine(robot)
    wrong = [finding for check in diagnosis.checks for finding in check.findings if finding.wrong]
    assert not wrong
    assert diagnosis.healthy
    assert [check.name for check in diagnosis.checks] == ["files", *CHECKS]


def test_a_diagnosis_is_plain_data() -> None:
    plain = examine("servo_arm").plain()
    assert json.loads(json.dumps(plain)) == plain
    assert all(check["meaning"] for check in plain["checks"])


def test_an_unknown_robot_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'servo_arm'"):
        examine("servo-arm")


INERTIA = 'ixx="0.0042" iyy="0.0042" izz="0.00004"'


@pytest.mark.parametrize(
    ("inertia", "message"),
    [
        ('ixx="0.0042" iyy="0.0042" izz="0.01"', "0.0042 + 0.0042 < 0.01 kg·m² break the triangle inequality"),
        ('ixx="0.0042" iyy="0.0042" izz="-0.00004"', "principal moment -4e-05 kg·m² is not positive"),
        ('ixx="0.0042" iyy="0.0042" izz="0"', "principal moment 0 kg·m² is not positive"),
    ],
)
def test_impossible_inertia_is_found(inertia: str, message: str, tmp_path: Path) -> None:
    (finding,) = found(spoiled(tmp_path, MODEL, INERTIA, inertia), "inertia")
    assert message in finding.message
    assert finding.where.endswith(f"{MODEL}: link arm")


def test_a_link_that_moves_has_mass(tmp_path: Path) -> None:
    (finding,) = found(spoiled(tmp_path, MODEL, '<mass value="0.2"/>', '<mass value="0"/>'), "inertia")
    assert finding.message == "mass is 0 kg"


def test_a_missing_mesh_is_found_and_nothing_is_simulated(tmp_path: Path) -> None:
    robot = spoiled(tmp_path, MODEL, '<sphere radius="0.04"/>', '<mesh filename="meshes/ball.obj"/>')
    (finding,) = found(robot, "meshes")
    assert finding.where.endswith(f"{MODEL}: link payload")
    assert finding.message == "mesh 'meshes/ball.obj' does not exist"
    assert checks(robot)["settles"].verdict == "skipped"


def test_a_joint_that_the_model_lacks_names_the_nearest(tmp_path: Path) -> None:
    (finding,) = found(spoiled(tmp_path, CONTRACT, "name: shoulder", "name: sholder"), "joints")
    assert finding.where.endswith("robot.yaml: contract.joints.sholder")
    assert "did you mean 'shoulder'" in finding.advice


def test_zero_and_missing_effort_are_told_apart(tmp_path: Path) -> None:
    (zero,) = found(spoiled(tmp_path / "a", MODEL, 'effort="10"', 'effort="0"'), "drives")
    assert zero.message == "effort limit is 0: a motor without torque"
    (none,) = found(spoiled(tmp_path / "b", MODEL, 'effort="10"', ""), "drives", wrong=False)
    assert "no effort limit, which PyBullet reads as 0" in none.message


def test_contradictory_limits_are_found(tmp_path: Path) -> None:
    (finding,) = found(spoiled(tmp_path / "a", MODEL, 'lower="-2.6" upper="2.6"', 'lower="2.6" upper="-2.6"'), "drives")
    assert finding.message == "lower 2.6 is above upper -2.6"
    (finding,) = found(spoiled(tmp_path / "b", CONTRACT, "[-2.6, 2.6]", "[-2.6, 3.6]"), "joints", wrong=False)
    assert "is [-2.6, 3.6]; the model stops at [-2.6, 2.6]" in finding.message
    (finding,) = found(spoiled(tmp_path / "c", CONTRACT, "torque_limit: 10.0", "torque_limit: 11.0"), "drives", False)
    assert "torque_limit is 11, the model's effort 10" in finding.message


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (CONTRACT, "torque_limit: 10.0", "torque_limit: 0.0", "contract: 'joints.0.torque_limit' is 0.0"),
        (CONTRACT, "[-2.6, 2.6]", "[2.6, -2.6]", "pos_limit of shoulder: low 2.6 is not below high -2.6"),
        (CONTRACT, "vel_limit", "vel_limt", "unknown key 'joints.0.vel_limt'; did you mean 'vel_limit'"),
        (CONTRACT, "servo_arm.urdf", "servo.urdf", "servo.urdf does not exist"),
        (CONTRACT, "physics_dt: ", "physics_dt: 0.0133 # ", "is not a whole number of physics_dt"),
        (WORLDS, "low: 0.3, high: 1.2", "low: -0.3, high: 1.2", "link_mass = -0.3 kg; valid is 0.0001 to 10000"),
        (WORLDS, "low: 0.3, high: 1.2", "low: 1.3, high: 1.2", "randomization.yaml: "),
        (WORLDS, "parameter: link_mass", "parameter: link_mas", "unknown parameter 'link_mas'"),
        (MODEL, '<mass value="0.2"/>', '<mass value="light"/>', "link arm: value is 'light', not a number"),
        (MODEL, "</robot>", "", "not valid XML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_key(
    file: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    robot = spoiled(tmp_path, file, old, new)
    (check,) = examine(robot).checks
    (finding,) = check.findings
    assert message in finding.message
    assert file in finding.message or "urdf" in finding.message


def test_a_selection_of_nothing_is_found(tmp_path: Path) -> None:
    diagnosis = examine(spoiled(tmp_path, WORLDS, "select: payload", "select: paylod"))
    messages = [finding.message for check in diagnosis.checks for finding in check.findings if finding.wrong]
    assert any("select 'paylod' matches no link" in message for message in messages)


def test_a_parameter_without_effect_is_found(tmp_path: Path) -> None:
    draw = "draw: {distribution: uniform, low: 0.0, high: 0.5}"
    pointless = f'parameters:\n  bounce: {{parameter: restitution, select: payload, unit: "1", {draw}}}\n'
    (finding,) = found(spoiled(tmp_path, WORLDS, "parameters:", pointless), "randomization")
    assert finding.where.endswith("randomization.yaml: parameters.bounce")
    assert finding.message == "0 and 0.5 give the same motion"


def test_a_reading_outside_its_range_is_found(tmp_path: Path) -> None:
    (finding,) = found(spoiled(tmp_path, CONTRACT, "low: -50.0, high: 50.0", "low: -0.5, high: 0.5"), "signals")
    assert finding.where.endswith("signal joint_vel")


def test_a_delay_that_rounds_to_nothing_is_worth_a_look(tmp_path: Path) -> None:
    (finding,) = found(
        spoiled(tmp_path, CONTRACT, "noise: 0.003,", "noise: 0.003, delay: 0.005,"), "clocks", wrong=False
    )
    assert "less than half a step" in finding.message


def test_the_stock_mini_cheetah_and_xarm_are_sick(tmp_path: Path) -> None:
    cheetah = checks(str(new_robot("cheetah", stock("mini_cheetah/mini_cheetah.urdf"), tmp_path)))
    assert {finding.where.split()[-1] for finding in cheetah["inertia"].findings} == {
        f"thigh_{leg}" for leg in ("fr", "fl", "hr", "hl")
    }
    assert len(cheetah["drives"].findings) == 12
    assert all("no effort limit" in finding.message for finding in cheetah["drives"].findings)
    xarm = checks(str(new_robot("arm", stock("xarm/xarm6_robot.urdf"), tmp_path)))
    assert [finding.where.split()[-1] for finding in xarm["inertia"].findings] == ["link2", "link3"]


def test_an_explosion_is_found(tmp_path: Path) -> None:
    # a drive far too stiff for its step: kp · dt² exceeds four times the inertia
    robot = spoiled(tmp_path, CONTRACT, "torque_limit: 10.0", "torque_limit: 1.0e+5\n      kp: 1.0e+5\n      kd: 0.0")
    file = Path(robot) / CONTRACT
    text = (
        file.read_text()
        .replace("mode: torque", "mode: position")
        .replace("unit: N·m\n    scale: [10.0]", "scale: [1.0]")
    )
    file.write_text(text.replace("default_pos: 0.0", "default_pos: 0.5").replace("offset: [0.0]", "offset: [0.5]"))
    made = checks(robot)
    assert made["settles"].verdict in ("wrong", "warning")
    assert any("moves at" in finding.message or "reaches" in finding.message for finding in made["settles"].findings)
