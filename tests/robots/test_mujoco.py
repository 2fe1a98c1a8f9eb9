"""The MuJoCo world against mechanics worked out by hand; what it shares with PyBullet is in `test_engines`."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi, sin
from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.model import Model
from robots.rotation import from_yaw, rotate
from robots.spec import load_robot
from tests.robots.pendulum_equations import IR, bias, mass_matrix

pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")
from robots.engines import open_world
from robots.mujoco.world import MujocoWorld

DT, G = 0.002, 9.81

CART = """<robot name="cart">
  <link name="trunk">
    <inertial><origin xyz="0.1 0 0.02"/><mass value="3"/>
      <inertia ixx="0.02" iyy="0.03" izz="0.04" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><geometry><box size="0.4 0.2 0.1"/></geometry></collision>
    <contact><lateral_friction value="0.7"/></contact>
  </link>
  <link name="wheel"><inertial>
    <mass value="0.5"/><inertia ixx="0.01" iyy="0.02" izz="0.01" ixy="0" ixz="0" iyz="0"/>
  </inertial></link>
  <link name="lamp"><inertial>
    <mass value="0.2"/><inertia ixx="0.001" iyy="0.001" izz="0.001" ixy="0" ixz="0" iyz="0"/>
  </inertial></link>
  <joint name="drive" type="continuous">
    <parent link="trunk"/><child link="wheel"/><axis xyz="0 1 0"/><origin xyz="0.2 0 0"/><dynamics damping="5"/>
  </joint>
  <joint name="mast" type="fixed"><parent link="trunk"/><child link="lamp"/><origin xyz="0 0 0.3"/></joint>
</robot>"""
MASS = 3 + 0.5 + 0.2
CENTRE = np.array([3 * 0.1 + 0.5 * 0.2, 0.0, 3 * 0.02 + 0.2 * 0.3]) / MASS
"""Centre of mass of the whole, seen from the trunk's frame [m]."""


def cart(folder: Path, **settings: object) -> MujocoWorld:
    path = folder / "cart.urdf"
    path.write_text(CART)
    model = {"file": path.name, "base_pos": (0, 0, 1), "fixed_base": False, "physics_dt": DT, **settings}
    return MujocoWorld(path, Model.parse(model), ["drive"])


@pytest.fixture
def free(tmp_path: Path) -> MujocoWorld:
    """A free-floating trunk with a driven wheel in front, and a lamp on a mast that is fixed to it."""
    return cart(tmp_path)


@pytest.fixture
def arm() -> Iterator[MujocoWorld]:
    world = open_world(load_robot("servo_arm", engine="mujoco")[0])
    assert isinstance(world, MujocoWorld)
    yield world
    world.close()


def whole(world: MujocoWorld) -> np.ndarray:
    """The cart's centre of mass, from its trunk's frame [m, world]."""
    base = world.base_state()
    return np.array(base.pos_world) + rotate(base.quat_xyzw, CENTRE)


def test_the_links_and_geared_rotors_accelerate_as_the_equations_of_motion_say() -> None:
    rng = np.random.default_rng(0)
    spec, _ = load_robot("double_pendulum", engine="mujoco")
    model = spec.model.model_copy(update={"physics_dt": 1e-4, "solver_substeps": 1})
    world = open_world(spec.model_copy(update={"model": model}))
    for rotor in (IR, 2 * IR, 0.0):
        for joint in world.joint_names:
            world.write("joint", joint, "reflected_inertia", 36 * rotor)
        for _ in range(20):
            pos, vel, torque = rng.uniform(-pi, pi, 2), rng.uniform(-6, 6, 2), rng.uniform(-3, 3, 2)
            world.reset(pos.tolist(), vel.tolist())
            world.step(torque.tolist())
            found = (np.array(world.joint_vel) - vel) / 1e-4
            expected = np.linalg.solve(mass_matrix(pos, rotor), torque - bias(pos, vel))
            assert found == pytest.approx(expected, rel=1e-7, abs=1e-6)
            wrong = np.linalg.solve(mass_matrix(pos, rotor + IR), torque - bias(pos, vel))
            assert np.abs(wrong - expected).max() > 1e-3 * np.abs(expected).max()


def test_a_rotor_without_known_gear_is_felt_by_its_joint_alone() -> None:
    spec, _ = load_robot("double_pendulum", engine="mujoco")
    drives = {name: drive.model_copy(update={"gear_ratio": None}) for name, drive in spec.model.drives.items()}
    fine = {"physics_dt": 1e-4, "solver_substeps": 1, "drives": drives}
    world = open_world(spec.model_copy(update={"model": spec.model.model_copy(update=fine)}))
    world.write("joint", "elbow", "reflected_inertia", 0.01)
    pos, torque = np.array([0.4, 1.0]), np.array([1.0, -0.5])
    world.reset(pos.tolist(), [0.0, 0.0])
    world.step(torque.tolist())
    inertia = mass_matrix(pos, 0.0) + np.diag([0.0, 0.01])
    expected = np.linalg.solve(inertia, torque - bias(pos, np.zeros(2)))
    assert np.array(world.joint_vel) / 1e-4 == pytest.approx(expected, rel=1e-7)


def test_a_free_body_falls_undamped_and_its_frames_are_those_of_the_links(free: MujocoWorld) -> None:
    free.reset([0.0], [0.0])
    turn, spin = from_yaw(0.3), (0.0, 0.0, 2.0)
    free.place_base((0.1, 0.2, 0.3), turn, (1.0, 0.0, 0.5), spin)
    base = free.base_state()
    assert base.pos_world == pytest.approx((0.1, 0.2, 1.3))
    assert base.quat_xyzw == pytest.approx(turn)
    assert base.lin_vel_world == pytest.approx((1.0, 0.0, 0.5))
    assert base.ang_vel_world == pytest.approx(spin)
    arm = np.array(rotate(turn, (0.0, 0.0, 0.3)))
    assert free.link_pose("lamp")[0] == pytest.approx(np.array(base.pos_world) + arm)
    wheel = np.array(rotate(turn, (0.2, 0.0, 0.0)))
    assert free.link_vel("wheel")[0] == pytest.approx(np.array([1.0, 0.0, 0.5]) + np.cross(spin, wheel))
    start, velocity = whole(free), np.array([1.0, 0.0, 0.5]) + np.cross(spin, rotate(turn, CENTRE))
    for _ in range(250):
        free.step([0.0])
    time = 250 * DT
    assert whole(free) == pytest.approx(start + velocity * time + [0, 0, -G * time**2 / 2], abs=2 * G * time * DT)


def test_a_payload_adds_its_mass_where_it_is(free: MujocoWorld) -> None:
    """A push across at the trunk's centre of mass moves the whole's by F/m, and turns it by I⁻¹ (r × F)."""
    push, struck = np.array([0.0, 5.0, 0.0]), np.array([0.1, 0.0, 0.02])
    for load, place in ((0.0, 0.3), (2.0, 0.3), (2.0, -0.25), (0.0, 0.0)):
        free.write("world", "world", "gravity", 0.0)
        free.write("base", "base", "payload_mass", load)
        free.write("base", "base", "payload_x", place)
        free.reset([0.0], [0.0])
        free.push(push.tolist())
        free.step([0.0])
        bodies = [(3.0, struck, (0.02, 0.03, 0.04)), (0.5, (0.2, 0.0, 0.0), (0.01, 0.02, 0.01))]
        bodies += [(0.2, (0.0, 0.0, 0.3), (0.001, 0.001, 0.001)), (load, (place, 0.0, 0.0), (0.0, 0.0, 0.0))]
        mass = sum(m for m, _, _ in bodies)
        centre = sum(m * np.array(r) for m, r, _ in bodies) / mass
        arms = [(m, np.array(r) - centre, np.diag(i)) for m, r, i in bodies]
        inertia = sum(i + m * (r @ r * np.eye(3) - np.outer(r, r)) for m, r, i in arms)
        turn = np.linalg.solve(inertia, np.cross(struck - centre, push))
        state = free.base_state()
        assert np.array(state.ang_vel_world) / DT == pytest.approx(turn, rel=1e-6, abs=1e-9)
        moved = np.array(state.lin_vel_world) / DT + np.cross(turn, centre)
        assert moved == pytest.approx(push / mass, rel=1e-4, abs=1e-3)
        free.step([0.0])
        assert free.base_state().ang_vel_world[2] == pytest.approx(state.ang_vel_world[2], rel=1e-3)  # pushed once


def test_a_box_rests_with_its_weight_and_slides_when_friction_allows(tmp_path: Path) -> None:
    world = cart(tmp_path, floor=True, base_pos=(0, 0, 0.05))
    assert world.read("link", "trunk", "lateral_friction") == world.nominal("link", "trunk", "lateral_friction") == 0.7

    def slide(friction: float, angle: float) -> tuple[float, float]:
        """Speed after a second [m/s] and weight on the floor [N]."""
        world.write("link", "trunk", "lateral_friction", friction)
        world.write("world", "world", "slope_y", angle)
        world.reset([0.0], [0.0])
        for _ in range(round(1 / DT)):
            world.step([0.0])
        return world.base_state().lin_vel_world[0], world.contact_force("trunk")

    speed, weight = slide(0.7, 0.0)
    assert weight == pytest.approx(MASS * G, rel=1e-3)
    assert abs(speed) < 1e-4
    assert abs(slide(0.5, 0.3)[0]) < 1e-3  # tan 0.3 = 0.31
    assert slide(0.1, 0.3)[0] == pytest.approx(G * (sin(0.3) - 0.1 * cos(0.3)), rel=0.02)
    assert world.contact_force("wheel") == 0.0


def test_the_file_s_joint_damping_is_taken_away(free: MujocoWorld) -> None:
    free.write("world", "world", "gravity", 0.0)
    free.reset([0.0], [3.0])
    for _ in range(500):
        free.step([0.0])
    assert free.joint_vel[0] == pytest.approx(3.0, rel=1e-6)


def test_a_jammed_joint_holds_until_it_is_freed(arm: MujocoWorld) -> None:
    arm.reset([0.7], [0.0])
    arm.lock({"shoulder"})
    for _ in range(100):
        arm.step([-3.0])
    assert arm.joint_pos[0] == pytest.approx(0.7, abs=1e-3)
    arm.lock(set())
    for _ in range(20):
        arm.step([-3.0])
    assert arm.joint_pos[0] < 0.5
    arm.lock({"shoulder"})
    arm.reset([0.7], [0.0])
    for _ in range(20):
        arm.step([-3.0])
    assert arm.joint_pos[0] < 0.5


def test_a_joint_stops_at_the_limit_of_its_file(arm: MujocoWorld) -> None:
    arm.reset([2.4], [0.0])
    for _ in range(100):
        arm.step([8.0])
    assert arm.joint_pos[0] == pytest.approx(2.6, abs=0.01)


def test_a_torque_lasts_one_step_and_a_reset_forgets_everything(arm: MujocoWorld) -> None:
    def swing() -> list[float]:
        arm.reset([1.0], [0.0])
        return [arm.step([0.0]) or arm.joint_pos[0] for _ in range(50)]

    first = swing()
    arm.reset([2.5], [10.0])
    for _ in range(20):
        arm.step([10.0])
    arm.write("link", "payload", "mass", 3.0)
    assert swing() != first
    arm.write("link", "payload", "mass", arm.nominal("link", "payload", "mass"))
    arm.write("world", "world", "gravity", 3.0)
    arm.push([0.0, 0.0, 50.0])
    arm.write("world", "world", "gravity", G)
    assert swing() == first


def test_a_blown_up_simulation_says_so_leaves_no_file_and_ends_with_a_reset(
    arm: MujocoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    arm.reset([0.5], [0.0])
    for _ in range(3):
        arm.step([1e300])
    assert np.isnan(arm.joint_pos).all()  # it does not start again by itself
    assert "The simulation is unstable" in caplog.text
    assert not list(tmp_path.iterdir())
    arm.reset([0.5], [0.0])
    arm.step([0.0])
    assert arm.joint_pos[0] == pytest.approx(0.5, abs=1e-2)


def test_what_is_written_within_an_episode_acts_from_the_next_load(arm: MujocoWorld) -> None:
    arm.write("world", "world", "gravity", 0.0)
    arm.reset([0.0], [0.0])
    arm.write("link", "payload", "mass", 1.2)
    arm.load_base(again=False)
    arm.step([5.0])
    inertia = 0.0042 + 0.2 * 0.25**2 + 2 * 0.0004 + 1.2 * 0.5**2
    assert arm.joint_vel[0] / 0.01 == pytest.approx(5.0 / inertia, rel=1e-6)


def test_mass_inertia_and_friction_are_those_of_the_file(arm: MujocoWorld, free: MujocoWorld) -> None:
    assert arm.names("link") == ("arm", "payload")  # a fixed base feels nothing of its mass
    assert arm.nominal("link", "arm", "mass") == 0.2
    assert sorted(arm.inertia("arm")) == pytest.approx([0.00004, 0.0042, 0.0042], rel=1e-12)
    arm.write("link", "arm", "mass", 0.5)
    arm.write("link", "arm", "inertia", 2.0)
    assert sorted(arm.inertia("arm")) == pytest.approx([0.0002, 0.021, 0.021], rel=1e-12)
    assert arm.read("link", "arm", "inertia") == pytest.approx(2.0)
    assert free.names("link") == ("trunk", "wheel", "lamp")
    assert free.names("base") == ("base",)


def test_what_it_cannot_load_or_do_is_refused_by_name(arm: MujocoWorld, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no movable joint 'sholder'; did you mean 'shoulder'"):
        open_world(_renamed("sholder"))
    with pytest.raises(ConfigError, match=r"hopper\.xml is none; leave it to pybullet"):
        open_world(load_robot("hopper", engine="mujoco")[0])
    with pytest.raises(ConfigError, match="link payload: engine mujoco does not simulate restitution; valid of a link"):
        arm.write("link", "payload", "restitution", 0.5)
    with pytest.raises(ConfigError, match="no pictures"):
        arm.image()
    with pytest.raises(ConfigError, match="the base is fixed"):
        arm.place_base((1.0, 0.0, 0.0), from_yaw(0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    path = tmp_path / "cart.urdf"
    path.write_text(CART.replace('<box size="0.4 0.2 0.1"/>', '<mesh filename="package://nowhere/box.stl"/>'))
    with pytest.raises(ConfigError, match="mesh 'package://nowhere/box.stl' does not exist"):
        MujocoWorld(path, Model(file=path.name, physics_dt=DT), ["drive"])
    path.write_text(CART.replace('iyy="0.03"', 'iyy="0.3"'))
    with pytest.raises(ConfigError, match="MuJoCo cannot load it"):
        MujocoWorld(path, Model(file=path.name, physics_dt=DT), ["drive"])


def _renamed(joint: str):  # type: ignore[no-untyped-def]
    spec, _ = load_robot("servo_arm", engine="mujoco")
    joints = tuple(one.model_copy(update={"name": joint}) for one in spec.contract.joints)
    return spec.model_copy(update={"contract": spec.contract.model_copy(update={"joints": joints})})
