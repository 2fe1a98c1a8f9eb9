from __future__ import annotations

from typing import Any

import pytest

from domain_rand.schema import ConfigError, read_yaml
from robots.spec import ROBOTS, RobotSpec, load_robot, robot_names, urdf_path

DATA = read_yaml(ROBOTS / "servo_arm" / "robot.yaml")


def spec_with(section: str, **change: Any) -> RobotSpec:
    return RobotSpec.parse({**DATA, section: {**DATA[section], **change}})


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


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown task 'track_taget'; did you mean 'track_target'"):
        spec_with("task", name="track_taget")


def test_an_unknown_task_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="task track_target: unknown key 'sharpnes'; did you mean 'sharpness'"):
        _ = spec_with("task", settings={"sharpnes": 1.0}).task.task


def test_an_absent_model_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model\.file: .*arm\.urdf does not exist"):
        urdf_path(spec_with("model", file="arm.urdf"))
