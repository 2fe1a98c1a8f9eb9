from __future__ import annotations

from pathlib import Path

import pytest

from domain_rand.schema import ConfigError
from robots.spec import ROBOTS
from robots.urdf import find_mesh, inertia_fault, principal_moments, read_urdf


def test_a_file_is_read_as_it_is_written() -> None:
    urdf = read_urdf(ROBOTS / "servo_arm/servo_arm.urdf")
    assert list(urdf.links) == ["stand", "arm", "payload"]
    assert (urdf.links["arm"].mass, urdf.links["arm"].inertia) == (0.2, (0.0042, 0, 0, 0.0042, 0, 0.00004))
    shoulder = urdf.joints["shoulder"]
    assert (shoulder.lower, shoulder.upper, shoulder.effort, shoulder.velocity) == (-2.6, 2.6, 10, 25)
    assert (shoulder.parent, shoulder.child, shoulder.limited) == ("stand", "arm", True)
    assert (urdf.root, list(urdf.movable)) == ("stand", ["shoulder"])


def test_principal_moments_of_a_turned_rod() -> None:
    # a rod along (1, 1, 0)/√2 with moment 2 across it: 2 · (1 − n nᵀ)
    assert principal_moments((1, -1, 0, 1, 0, 2)) == pytest.approx((0, 2, 2), abs=1e-12)


@pytest.mark.parametrize(
    ("moments", "fault"),
    [
        ((1, 1, 2), None),  # a flat disc: on the edge
        ((1, 1, 2.001), None),  # rounded
        ((1, 1, 2.1), "triangle"),
        ((0, 1, 1), "not positive"),
        ((-1, 1, 1), "not positive"),
    ],
)
def test_which_moments_a_body_may_have(moments: tuple[float, ...], fault: str | None) -> None:
    said = inertia_fault(moments)
    assert said is None if fault is None else fault in str(said)


@pytest.mark.parametrize("name", ["part.obj", "package://meshes/part.obj", "../meshes/part.obj"])
def test_meshes_are_found_where_pybullet_looks(name: str, tmp_path: Path) -> None:
    for folder in ("urdf", "meshes"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.obj").touch()
    assert find_mesh(tmp_path / "urdf/robot.urdf", name) is not None
    assert find_mesh(tmp_path / "urdf/robot.urdf", f"absent_{Path(name).name}") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<mujoco/>", "the root element is <mujoco>"),
        ("<robot/>", "no <link> in it"),
        ('<robot><link name="a"/><joint name="j" type="fixed"/></robot>', "joint j: <parent> or <child> is missing"),
    ],
)
def test_what_is_no_robot_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "robot.urdf"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_urdf(file)
