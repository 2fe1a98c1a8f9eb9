"""A drafted robot is a robot: it passes the doctor, steps, and is found by path and by name."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from domain_rand.schema import ConfigError
from robots.doctor.examine import examine
from robots.drafting.folder import new_robot
from robots.robot_env import RobotEnv
from robots.spec import ROBOTS, load_robot
from tests.robots.sick_robots import stock

URDFS = {
    "arm": ROBOTS / "servo_arm/servo_arm.urdf",
    "cart": ROBOTS / "cartpole/cartpole.urdf",
    "kuka_like": stock("kuka_iiwa/model.urdf"),
    "dog": stock("a1/a1.urdf"),
    "rover": stock("husky/husky.urdf"),
}


@pytest.mark.parametrize("name", URDFS)
def test_a_draft_of_a_sound_urdf_is_healthy(name: str, tmp_path: Path) -> None:
    folder = new_robot(name, URDFS[name], tmp_path)
    diagnosis = examine(str(folder))
    assert not [finding for check in diagnosis.checks for finding in check.findings if finding.wrong]


def test_a_draft_is_an_environment_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_robot("my_dog", URDFS["dog"], tmp_path)
    monkeypatch.setenv("SIMSHIFT_ROBOTS", str(tmp_path))
    for robot in (str(folder), "my_dog"):
        env = RobotEnv(robot, render_mode="rgb_array")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env, skip_render_check=True)
        env.close()


def test_what_the_urdf_says_is_taken_over(tmp_path: Path) -> None:
    contract = load_robot(str(new_robot("dog", URDFS["dog"], tmp_path)))[0].contract
    hip = contract.joints[0]
    assert (hip.name, hip.torque_limit, hip.vel_limit) == ("FR_hip_joint", 20.0, 52.4)
    assert hip.pos_limit == pytest.approx((-0.8029, 0.8029))
    assert contract.joints[2].default_pos == pytest.approx((-2.697 - 0.9163) / 2, abs=1e-3)  # zero is outside


def test_bases_stand_where_they_touch_the_floor(tmp_path: Path) -> None:
    fixed = load_robot(str(new_robot("arm", URDFS["kuka_like"], tmp_path)))[0]
    assert fixed.model.fixed_base
    assert fixed.contract.action.mode == "position"
    rover = load_robot(str(new_robot("rover", URDFS["rover"], tmp_path)))[0]
    assert not rover.model.fixed_base
    assert rover.contract.action.mode == "velocity"
    env = RobotEnv(str(tmp_path / "rover"))
    env.reset(seed=0)
    start = env.robot.view.base_height[0]
    for _ in range(25):
        env.step(np.zeros(4, dtype=np.float32))
    assert env.robot.view.base_height[0] == pytest.approx(start, abs=0.01)
    env.close()


def test_a_joint_without_effort_beside_one_with_is_passive(tmp_path: Path) -> None:
    spec, _ = load_robot(str(new_robot("cart", URDFS["cart"], tmp_path)))
    assert spec.contract.joint_names == ("slider",)
    assert spec.model.passive_joints == {"pole": 0.0}


def test_meshes_come_along_with_names_of_their_own(tmp_path: Path) -> None:
    place = tmp_path / "download/description/urdf"
    (tmp_path / "download/description/meshes/left").mkdir(parents=True)
    (tmp_path / "download/description/meshes/right").mkdir()
    place.mkdir()
    cube = stock("cube.obj").read_text()
    for side in ("left", "right"):
        (tmp_path / f"download/description/meshes/{side}/part.obj").write_text(cube + f"\n# {side}\n")
    text = (ROBOTS / "servo_arm/servo_arm.urdf").read_text()
    text = text.replace(
        '<sphere radius="0.04"/>',
        '<mesh filename="package://description/meshes/left/part.obj" scale="0.1 0.1 0.1"/>',
        1,
    )
    text = text.replace(
        '<cylinder radius="0.015" length="0.5"/>',
        '<mesh filename="../meshes/right/part.obj" scale="0.01 0.01 0.1"/>',
        1,
    )
    (place / "robot.urdf").write_text(text)
    folder = new_robot("meshed", place / "robot.urdf", tmp_path / "robots")
    assert sorted(path.name for path in folder.glob("meshes/*")) == ["part.obj", "part_2.obj"]
    assert "../meshes" not in (folder / "robot.urdf").read_text()
    assert examine(str(folder)).healthy


@pytest.mark.parametrize(
    ("name", "urdf", "message"),
    [
        ("servo_arm", URDFS["arm"], "there is a robot or folder 'servo_arm' already"),
        ("My-Robot", URDFS["arm"], "lower case letters, digits and _"),
        ("absent", Path("absent.urdf"), r"absent\.urdf: no such file"),
        ("plane", stock("plane.urdf"), "nothing to drive"),
    ],
)
def test_what_is_no_robot_is_refused_and_nothing_written(name: str, urdf: Path, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        new_robot(name, urdf, tmp_path)
    assert not list(tmp_path.iterdir())
