"""The PyBullet world against mechanics worked out by hand, and against what PyBullet is known to get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pybullet
import pytest

from domain_rand.schema import ConfigError
from robots.bullet.world import BulletWorld
from robots.model import Model
from robots.spec import RobotSpec, load_robot, urdf_path

DT = load_robot("servo_arm")[0].model.physics_dt
INERTIA = 0.0042 + 0.2 * 0.25**2 + 0.0004 + 0.6 * 0.5**2
"""Of arm and payload about the shoulder [kg·m²]."""

MASS_MOMENT = 0.2 * 0.25 + 0.6 * 0.5
"""Mass times distance of the centre of mass from the shoulder [kg·m]."""

FREE_BODY = """<robot name="free">
  <link name="trunk"><inertial>
    <origin xyz="0.1 0 0.02"/><mass value="3"/><inertia ixx="0.02" iyy="0.03" izz="0.04" ixy="0" ixz="0" iyz="0"/>
  </inertial></link>
  <link name="wheel"><inertial>
    <mass value="0.5"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/>
  </inertial></link>
  <link name="tail"><inertial>
    <origin xyz="0 0 -0.1"/><mass value="0.11"/>
    <inertia ixx="0.0013" iyy="0.0013" izz="0.0013" ixy="0" ixz="0" iyz="0"/>
  </inertial></link>
  <joint name="drive" type="continuous">
    <parent link="trunk"/><child link="wheel"/><axis xyz="0 1 0"/><origin xyz="0.2 0 0"/>
  </joint>
  <joint name="swing" type="continuous">
    <parent link="trunk"/><child link="tail"/><axis xyz="0 1 0"/><origin xyz="-0.2 0 0"/>
  </joint>
</robot>"""


@pytest.fixture
def world(spec: RobotSpec) -> Iterator[BulletWorld]:
    world = BulletWorld(urdf_path(spec), spec.model, spec.contract.joint_names)
    yield world
    world.close()


@pytest.fixture
def free(tmp_path: Path) -> Iterator[BulletWorld]:
    """A free-floating trunk with a driven wheel and a tail that no contract mentions."""
    path = tmp_path / "free.urdf"
    path.write_text(FREE_BODY)
    world = BulletWorld(path, Model(file=path.name, base_pos=(0, 0, 1), fixed_base=False, physics_dt=DT), ["drive"])
    yield world
    world.close()


def swing(world: BulletWorld, start: float, steps: int) -> np.ndarray:
    """Positions and velocities, `[steps, 2]`, after letting go at `start` [rad]."""
    world.reset([start], [0.0])
    states = []
    for _ in range(steps):
        world.step([0.0])
        states.append((world.joint_pos[0], world.joint_vel[0]))
    return np.array(states)


def roll(world: BulletWorld, steps: int) -> list[float]:
    world.reset([0.0], [0.0])
    for _ in range(steps):
        world.step([0.4])
    return world.joint_pos + world.joint_vel


def test_the_first_step_accelerates_by_torque_over_inertia(world: BulletWorld) -> None:
    world.write("world", "world", "gravity", 0.0)
    world.reset([0.0], [0.0])
    world.step([5.0])
    assert world.joint_vel[0] / DT == pytest.approx(5.0 / INERTIA, rel=1e-6)


def test_gravity_accelerates_a_raised_arm(world: BulletWorld) -> None:
    world.reset([pi / 2], [0.0])
    world.step([0.0])
    assert world.joint_vel[0] / DT == pytest.approx(-9.81 * MASS_MOMENT / INERTIA, rel=1e-4)


def test_a_torque_lasts_one_step(world: BulletWorld) -> None:
    world.write("world", "world", "gravity", 0.0)
    world.reset([0.0], [0.0])
    world.step([5.0])
    speed = world.joint_vel[0]
    world.step([0.0])
    assert world.joint_vel[0] == pytest.approx(speed, rel=1e-6)


def test_without_torque_and_friction_energy_is_conserved(world: BulletWorld) -> None:
    pos, vel = swing(world, 1.0, 400).T
    energy = 0.5 * INERTIA * vel**2 + 9.81 * MASS_MOMENT * (1 - np.cos(pos))
    released = 9.81 * MASS_MOMENT * (1 - cos(1.0))
    assert np.abs(energy / released - 1).max() < 0.01
    assert energy[-80:].mean() / energy[:80].mean() == pytest.approx(1, abs=0.005)


def test_a_small_swing_has_the_period_of_a_pendulum(world: BulletWorld) -> None:
    pos = swing(world, 0.05, 2000)[:, 0]
    falls = np.flatnonzero((pos[:-1] > 0) & (pos[1:] <= 0))
    times = falls + pos[falls] / (pos[falls] - pos[falls + 1])
    period = np.diff(times).mean() * DT
    assert period == pytest.approx(2 * pi * sqrt(INERTIA / (9.81 * MASS_MOMENT)), rel=2e-3)


def test_mass_and_inertia_come_from_the_model_file(world: BulletWorld) -> None:
    assert world.names("link") == ("arm", "payload")
    assert world.nominal("link", "arm", "mass") == 0.2
    assert world.inertia("arm") == (0.0042, 0.0042, 0.00004)


def test_inertia_scales_with_mass_and_nothing_else_changes(world: BulletWorld) -> None:
    world.write("link", "arm", "mass", 0.5)
    assert world.read("link", "arm", "mass") == 0.5
    assert world.inertia("arm") == pytest.approx([0.0105, 0.0105, 0.0001])
    assert world.read("link", "payload", "mass") == 0.6
    assert world.inertia("payload") == (0.0004, 0.0004, 0.0004)


def test_a_written_mass_is_felt(world: BulletWorld) -> None:
    world.write("link", "payload", "mass", 1.2)
    world.write("world", "world", "gravity", 0.0)
    world.reset([0.0], [0.0])
    world.step([5.0])
    heavier = INERTIA + 0.0004 + 0.6 * 0.5**2
    assert world.joint_vel[0] / DT == pytest.approx(5.0 / heavier, rel=1e-6)


def test_a_link_s_mass_is_written_to_the_link_not_to_the_base(free: BulletWorld) -> None:
    free.write("link", "wheel", "mass", 0.8)
    assert free.read("link", "wheel", "mass") == 0.8
    assert free.read("link", "trunk", "mass") == 3.0
    assert free.inertia("trunk") == (0.02, 0.03, 0.04)


def test_nominal_mass_brings_nominal_inertia_back_to_the_last_bit(free: BulletWorld) -> None:
    free.write("link", "tail", "mass", 0.3)
    free.write("link", "tail", "mass", free.nominal("link", "tail", "mass"))
    assert free.inertia("tail") == (0.0013, 0.0013, 0.0013)  # 0.0013 · 0.11 / 0.11 is another number


def test_a_written_gravity_is_felt(world: BulletWorld) -> None:
    world.write("world", "world", "gravity", 1.62)
    assert world.read("world", "world", "gravity") == 1.62
    assert world.nominal("world", "world", "gravity") == 9.81
    world.reset([pi / 2], [0.0])
    world.step([0.0])
    assert world.joint_vel[0] / DT == pytest.approx(-1.62 * MASS_MOMENT / INERTIA, rel=1e-4)


def base_state(world: BulletWorld) -> tuple[Any, ...]:
    pose = pybullet.getBasePositionAndOrientation(world._body.uid, physicsClientId=world._client)
    return *pose, *pybullet.getBaseVelocity(world._body.uid, physicsClientId=world._client)


def tail_state(world: BulletWorld) -> tuple[float, float]:
    return pybullet.getJointState(world._body.uid, 1, physicsClientId=world._client)[:2]


def test_a_free_body_falls_undamped(free: BulletWorld) -> None:
    free.reset([0.0], [0.0])
    for _ in range(round(1 / DT)):
        free.step([0.0])
    assert base_state(free)[2][2] == pytest.approx(-9.81, rel=1e-6)


def test_a_reset_returns_the_whole_robot(free: BulletWorld) -> None:
    loaded = base_state(free), tail_state(free)
    first = roll(free, 100)
    assert base_state(free) != loaded[0]
    assert abs(first[1]) > 1
    assert abs(tail_state(free)[0]) > 0.01  # no motor holds the joint that no contract mentions
    assert roll(free, 100) == first
    free.reset([0.0], [0.0])
    assert (base_state(free), tail_state(free)) == loaded


def test_a_reset_forgets_a_blow_at_the_joint_limit(world: BulletWorld) -> None:
    first = swing(world, 1.0, 50)
    world.reset([2.5], [10.0])
    for _ in range(20):
        world.step([10.0])
    assert np.array_equal(swing(world, 1.0, 50), first)


def test_an_unknown_joint_names_the_nearest(spec: RobotSpec) -> None:
    with pytest.raises(ConfigError, match="no movable joint 'sholder'; did you mean 'shoulder'"):
        BulletWorld(urdf_path(spec), spec.model, ["sholder"])


def test_a_fixed_joint_is_no_joint(spec: RobotSpec) -> None:
    with pytest.raises(ConfigError, match=r"no movable joint 'tip'; valid: shoulder"):
        BulletWorld(urdf_path(spec), spec.model, ["tip"])


def test_a_broken_model_names_its_file(tmp_path: Path, spec: RobotSpec) -> None:
    path = tmp_path / "broken.urdf"
    path.write_text("<robot>")
    with pytest.raises(ConfigError, match=r"broken\.urdf: PyBullet cannot load it"):
        BulletWorld(path, spec.model, ["shoulder"])


def test_close_may_be_called_twice(spec: RobotSpec) -> None:
    world = BulletWorld(urdf_path(spec), spec.model, spec.contract.joint_names)
    world.close()
    world.close()
