from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from domain_rand.schema import ConfigError, read_yaml
from robots.spec import ROBOTS, RobotFile, RobotSpec, load_robot, robot_names, urdf_path
from robots.task import find_task, task_names

DATA = read_yaml(ROBOTS / "servo_arm" / "robot.yaml")
TARGET = DATA["tasks"]["track_target"]["signals"][0]


def spec_with(section: str, **change: Any) -> RobotSpec:
    return RobotFile.parse({**DATA, section: {**DATA[section], **change}}).spec()


def test_a_robot_is_its_folder() -> None:
    assert "servo_arm" in robot_names()
    spec, randomization = load_robot("servo_arm")
    assert spec.contract.robot == "servo_arm"
    assert randomization.names
    assert urdf_path(spec).is_file()


def test_an_unknown_robot_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown robot 'servo-arm'; did you mean 'servo_arm'"):
        load_robot("servo-arm")


def test_a_robot_name_is_no_path() -> None:
    with pytest.raises(ConfigError, match="unknown robot"):
        load_robot("../robots/servo_arm")


def test_a_control_period_is_whole_physics_steps() -> None:
    assert spec_with("model", physics_dt=0.004).physics_steps == 5
    for physics_dt in (0.003, 0.04):
        with pytest.raises(ConfigError, match="is not a whole number of physics_dt"):
            spec_with("model", physics_dt=physics_dt)


def test_a_task_is_its_file() -> None:
    assert "track_target" in task_names()
    assert find_task("track_target").__name__ == "TrackTarget"
    with pytest.raises(ConfigError, match="unknown task 'track_taget'; did you mean 'track_target'"):
        spec_with("tasks", track_target={"task": "track_taget"})


def test_a_robot_may_have_several_tasks_with_signals_of_their_own() -> None:
    still = {"task": "track_target", "episode_time": 0.5, "signals": [{**TARGET, "low": -1.0}]}
    file = RobotFile.parse({**DATA, "tasks": {**DATA["tasks"], "still": still}})
    assert file.spec().task.name == "track_target"
    spec = file.spec("still")
    assert (spec.task.name, spec.task.module, spec.task.task.episode_time) == ("still", "track_target", 0.5)
    assert spec.contract.signal_names == ("joint_pos", "joint_vel", "joint_pos_target")
    assert spec.contract.signals[-1].low == -1.0
    with pytest.raises(ConfigError, match="the robot has no task 'stil'; did you mean 'still'"):
        file.spec("stil")


def test_an_unknown_task_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="task track_target: unknown key 'sharpnes'; did you mean 'sharpness'"):
        spec_with("tasks", track_target={"sharpnes": 1.0})


def test_an_absent_model_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model\.file: .*arm\.urdf does not exist"):
        urdf_path(spec_with("model", file="arm.urdf"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A robot outside the package: the servo arm's folder under another name."""
    folder = tmp_path / "my_arm"
    shutil.copytree(ROBOTS / "servo_arm", folder)
    file = folder / "robot.yaml"
    file.write_text(file.read_text().replace("robot: servo_arm", "robot: my_arm"))
    return folder


def test_a_robot_outside_the_package_is_found_by_its_path(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert urdf_path(load_robot(str(elsewhere))[0]) == elsewhere / "servo_arm.urdf"
    monkeypatch.chdir(elsewhere.parent)
    assert load_robot("./my_arm")[0].contract.robot == "my_arm"
    assert "my_arm" not in robot_names()
    with pytest.raises(ConfigError, match=r"unknown robot '\./my_amr'"):
        load_robot("./my_amr")


def test_folders_of_robots_are_added_by_the_environment(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMSHIFT_ROBOTS", f"{elsewhere.parent}{os.pathsep}{elsewhere.parent / 'absent'}")
    assert {"my_arm", "servo_arm"} <= set(robot_names())
    assert urdf_path(load_robot("my_arm")[0]).parent == elsewhere
    with pytest.raises(ConfigError, match="unknown robot 'my_amr'; did you mean 'my_arm'"):
        load_robot("my_amr")


def test_the_package_s_own_robots_cannot_be_replaced(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.rename(elsewhere.parent / "servo_arm")
    monkeypatch.setenv("SIMSHIFT_ROBOTS", str(elsewhere.parent))
    assert load_robot("servo_arm")[0].folder == ROBOTS / "servo_arm"
