"""What PyBullet is known to get wrong, each against the right answer: frames, motors, damping, friction, loads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import atan, pi
from pathlib import Path
from typing import Any

import numpy as np
import pybullet
import pytest

from domain_rand.schema import ConfigError
from robots.bullet.world import BulletWorld
from robots.model import Model
from robots.rotation import from_yaw, rotate

DT = 0.0025
TRUNK = """<link name="trunk">
  <inertial>
    <origin xyz="0.1 -0.03 0.02"/><mass value="3"/>
    <inertia ixx="0.02" iyy="0.03" izz="0.04" ixy="0.004" ixz="-0.002" iyz="0.001"/>
  </inertial>
  <collision><geometry><box size="0.4 0.2 0.1"/></geometry></collision>
</link>"""
WHEEL = """<link name="wheel"><inertial>
  <mass value="0.5"/><inertia ixx="0.01" iyy="0.02" izz="0.01" ixy="0" ixz="0" iyz="0"/>
</inertial></link>
<joint name="drive" type="continuous">
  <parent link="trunk"/><child link="wheel"/><axis xyz="0 1 0"/><origin xyz="0.2 0 0"/>
  <dynamics damping="0.5"/>
</joint>"""
BALL = """<link name="arm"><inertial>
  <origin xyz="0.1 0 0"/><mass value="0.5"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/>
</inertial></link>
<joint name="shoulder" type="spherical">
  <parent link="trunk"/><child link="arm"/><origin xyz="0 0 0.2"/>
</joint>"""


Loader = Callable[..., BulletWorld]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Loader]:
    worlds: list[BulletWorld] = []

    def loader(body: str = TRUNK + WHEEL, joints: tuple[str, ...] = ("drive",), **model: Any) -> BulletWorld:
        path = tmp_path / "robot.urdf"
        path.write_text(f'<robot name="free">{body}</robot>')
        settings = {"file": path.name, "base_pos": (0, 0, 1), "fixed_base": False, "physics_dt": DT, **model}
        worlds.append(BulletWorld(path, Model(**settings), joints))
        return worlds[-1]

    yield loader
    for world in worlds:
        world.close()


def run(world: BulletWorld, steps: int, torque: float = 0.0) -> None:
    for _ in range(steps):
        world.step([torque] * len(world.joint_names))


def test_the_base_is_its_link_s_frame_not_its_centre_of_mass(load: Loader) -> None:
    state = load().base_state()
    assert state.pos_world == pytest.approx((0, 0, 1))
    assert np.abs(state.quat_xyzw) == pytest.approx([0, 0, 0, 1])


def test_the_base_s_velocity_is_that_of_its_frame(load: Loader) -> None:
    world = load()
    world.place_base((0, 0, 0), from_yaw(0.3), (0.5, 0.1, 0.2), (0.3, -2.0, 1.5))
    before, step = world.base_state(), 0
    assert before.lin_vel_world == pytest.approx((0.5, 0.1, 0.2))
    world.write("world", "world", "gravity", 0.0)
    for step in range(2):  # the mean of two steps' velocity is the middle's
        world.step([0.0])
        if step == 0:
            middle = world.base_state()
    moved = np.subtract(world.base_state().pos_world, before.pos_world) / (2 * DT)
    assert moved == pytest.approx(np.array(middle.lin_vel_world), abs=2e-2)
    naive = pybullet.getBaseVelocity(world._uid, physicsClientId=world._client)[0]
    assert np.abs(moved - naive).max() > 0.1


def test_a_base_is_placed_by_its_frame(load: Loader) -> None:
    world = load()
    world.place_base((0.2, -0.1, 0.3), from_yaw(pi / 2), (0, 0, 0), (0, 0, 0))
    state = world.base_state()
    assert state.pos_world == pytest.approx((0.2, -0.1, 1.3))
    assert rotate(state.quat_xyzw, (1, 0, 0)) == pytest.approx((0, 1, 0), abs=1e-12)


@pytest.mark.parametrize("name", ["trunk", "wheel"])
def test_a_link_moves_at_the_velocity_it_reports(load: Loader, name: str) -> None:
    world = load()
    world.write("world", "world", "gravity", 0.0)
    world.place_base((0, 0, 0), (0, 0, 0, 1), (0.5, 0, 0), (0, 0, 2.0))
    positions = [world.link_pose(name)[0]]
    for _ in range(2):
        world.step([0.1])
        positions.append(world.link_pose(name)[0])
        if len(positions) == 2:
            vel = world.link_vel(name)[0]
    assert np.subtract(positions[2], positions[0]) / (2 * DT) == pytest.approx(np.array(vel), abs=2e-2)


def test_joint_damping_of_the_file_is_taken_away(load: Loader) -> None:
    """It is explicit: 0.5 on this wheel turns into 100 rad/s out of nothing at a coarse step."""
    world = load(physics_dt=0.1, gravity=0.0)
    world.reset([0.0], [1.0])
    run(world, 50)
    assert 0.9 < world.joint_vel[0] <= 1.0 + 1e-9


def test_default_motors_are_off_also_after_a_reset_and_of_ball_joints(load: Loader) -> None:
    world = load(TRUNK + WHEEL + BALL, gravity=0.0, fixed_base=True)
    (ball,) = world._body.spherical
    client = world._client
    for _ in range(2):
        world.reset([0.0], [3.0])
        pybullet.resetJointStateMultiDof(world._uid, ball, [0, 0, 0, 1], [0, 0, 3.0], physicsClientId=client)
        run(world, 100)
        assert world.joint_vel[0] == pytest.approx(3.0)
        turning = pybullet.getJointStateMultiDof(world._uid, ball, physicsClientId=client)[1]
        assert np.linalg.norm(turning) == pytest.approx(3.0, rel=0.05)
    world.reset([0.0], [0.0])
    assert pybullet.getJointStateMultiDof(world._uid, ball, physicsClientId=client)[:2] == ((0, 0, 0, 1), (0, 0, 0))


def test_another_link_may_count_as_the_base(load: Loader) -> None:
    state = load(base_link="wheel").base_state()
    assert state.pos_world == pytest.approx((0.2, 0, 1))
    with pytest.raises(ConfigError, match="model.base_link: no link 'whel'"):
        load(base_link="whel")


def test_a_floor_leaves_a_link_its_own_friction(load: Loader) -> None:
    """A box on a slope slides where the slope is steeper than its friction, and stays where it is not."""
    for slope, slides in ((atan(0.35), False), (atan(0.45), True)):
        world = load(TRUNK, (), floor=True, base_pos=(0, 0, 0.05))
        world.write("link", "trunk", "lateral_friction", 0.4)
        world.write("world", "world", "slope_x", slope)
        run(world, 400)
        assert (abs(world.base_state().pos_world[1]) > 0.05) is slides


@pytest.mark.parametrize(("field", "down"), [("slope_x", (0, -1, 0)), ("slope_y", (1, 0, 0))])
def test_a_slope_turns_gravity_about_its_axis(load: Loader, field: str, down: tuple[float, ...]) -> None:
    world = load(TRUNK, ())
    world.write("world", "world", field, pi / 2)
    assert world.gravity_world == pytest.approx(down, abs=1e-12)
    assert world.read("world", "world", "gravity") == pytest.approx(9.81)
    run(world, 40)
    assert world.base_state().lin_vel_world == pytest.approx(np.multiply(down, 9.81 * 40 * DT), abs=1e-6)


def test_a_push_moves_by_force_over_mass_for_one_step(load: Loader) -> None:
    world = load(TRUNK, (), gravity=0.0)
    world.push((6.0, 0.0, 0.0))
    run(world, 3)
    assert world.base_state().lin_vel_world == pytest.approx((6.0 / 3.0 * DT, 0, 0), abs=1e-9)
    assert world.base_state().ang_vel_world == pytest.approx((0, 0, 0), abs=1e-9)  # at the centre of mass


def test_a_jammed_joint_stays_under_torque_and_is_free_again(load: Loader) -> None:
    world = load(gravity=0.0)
    world.reset([0.3], [0.0])
    world.lock({"drive"})
    run(world, 100, torque=2.0)
    assert world.joint_pos[0] == pytest.approx(0.3, abs=1e-3)
    world.lock(set())
    run(world, 20, torque=2.0)
    assert world.joint_pos[0] > 0.31
    world.lock({"drive"})
    world.reset([0.3], [0.0])
    run(world, 20, torque=2.0)
    assert world.joint_pos[0] > 0.31


def test_a_rotor_adds_to_the_inertia_about_its_axis(load: Loader) -> None:
    world = load(fixed_base=True, gravity=0.0)
    speeds = []
    for rotor in (0.0, 0.03, 0.0):
        world.write("joint", "drive", "reflected_inertia", rotor)
        world.reset([0.0], [0.0])
        run(world, 1, torque=1.0)
        speeds.append(world.joint_vel[0])
    assert speeds == pytest.approx([DT / 0.02, DT / 0.05, DT / 0.02])
    assert world.inertia("wheel") == (0.01, 0.02, 0.01)


def test_mass_inertia_and_rotor_are_written_in_any_order(load: Loader) -> None:
    world = load()
    writes = [
        ("link", "wheel", "mass", 1.0),
        ("link", "wheel", "inertia", 1.5),
        ("joint", "drive", "reflected_inertia", 0.03),
    ]
    held = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        for index in order:
            world.write(*writes[index][:2], writes[index][2], writes[index][3])
        held.append(world.inertia("wheel"))
        assert world.read("link", "wheel", "inertia") == pytest.approx(1.5)
        for group, name, field, nominal in (
            ("link", "wheel", "mass", 0.5),
            ("link", "wheel", "inertia", 1.0),
            ("joint", "drive", "reflected_inertia", 0.0),
        ):
            world.write(group, name, field, nominal)
        assert world.inertia("wheel") == (0.01, 0.02, 0.01)
    assert held[0] == held[1] == held[2] == pytest.approx((0.03, 0.09, 0.03))


def test_damping_is_written_without_touching_mass_or_friction(load: Loader) -> None:
    world = load()
    before = [pybullet.getDynamicsInfo(world._uid, i, physicsClientId=world._client) for i in (-1, 0)]
    for name in ("trunk", "wheel"):
        world.write("link", name, "linear_damping", 0.3)
        world.write("link", name, "angular_damping", 0.2)
    assert [pybullet.getDynamicsInfo(world._uid, i, physicsClientId=world._client) for i in (-1, 0)] == before
    assert world.read("link", "trunk", "linear_damping") == 0.3
    world.write("world", "world", "gravity", 0.0)
    world.place_base((0, 0, 0), (0, 0, 0, 1), (1.0, 0, 0), (0, 0, 0))
    run(world, 400)
    assert world.base_state().lin_vel_world[0] < 0.8


def test_a_link_without_shape_holds_contact_values_that_nothing_uses(load: Loader) -> None:
    world = load()
    for field in ("lateral_friction", "rolling_friction", "spinning_friction", "restitution", "contact_stiffness"):
        for name in ("trunk", "wheel"):
            world.write("link", name, field, 0.7)
            assert world.read("link", name, field) == pytest.approx(0.7)


def test_a_soft_contact_gives_way(load: Loader) -> None:
    heights = []
    for stiffness in (0.0, 1000.0):
        world = load(TRUNK, (), floor=True, base_pos=(0, 0, 0.05))
        world.write("link", "trunk", "contact_damping", 50.0)
        world.write("link", "trunk", "contact_stiffness", stiffness)
        run(world, 800)
        heights.append(world.base_state().pos_world[2])
    assert heights[0] - heights[1] > 0.003


@pytest.mark.parametrize("substeps", [1, 2, 4])
def test_contact_is_with_what_is_not_the_robot_and_carries_its_weight(load: Loader, substeps: int) -> None:
    world = load(TRUNK, (), floor=True, base_pos=(0, 0, 0.5), solver_substeps=substeps)
    assert world.contact_force("trunk") == 0
    run(world, 1600)
    assert world.contact_force("trunk") == pytest.approx(3 * 9.81, rel=0.05)
    with pytest.raises(ConfigError, match="no link 'trnk'; did you mean 'trunk'"):
        world.contact_force("trnk")


def test_a_payload_shifts_mass_inertia_and_centre(load: Loader) -> None:
    """A turning moment about z, then a fall: both as of one rigid body of 3 kg and 2 kg."""
    world = load(TRUNK, (), gravity=0.0)
    for field, value in (("payload_mass", 2.0), ("payload_x", 0.4), ("payload_y", -0.03), ("payload_z", 0.02)):
        world.write("base", "base", field, value)
        assert world.read("base", "base", field) == value
    world.load_base(again=True)
    reduced = 3 * 2 / (3 + 2)
    inertia = np.array([[0.02, 0.004, -0.002], [0.004, 0.03, 0.001], [-0.002, 0.001, 0.04]])
    inertia += np.diag([0, 1, 1]) * reduced * 0.3**2
    moment = np.array([0.0, 0.0, 0.5])
    pybullet.applyExternalTorque(world._uid, -1, moment, pybullet.WORLD_FRAME, physicsClientId=world._client)
    run(world, 1)
    assert world.base_state().ang_vel_world == pytest.approx(np.linalg.solve(inertia, moment) * DT, rel=1e-3, abs=1e-6)


def test_a_payload_turns_with_the_base_and_can_be_dropped(load: Loader) -> None:
    world = load(TRUNK, (), gravity=0.0)
    world.write("base", "base", "payload_mass", 1.0)
    world.write("base", "base", "payload_x", 0.4)
    world.place_base((0, 0, 0), from_yaw(1.0), (0.3, 0, 0), (0, 0, 2.0))
    world.load_base(again=True)
    load_id = world._payload._uid  # type: ignore[union-attr]
    run(world, 200)
    state = world.base_state()
    arm = rotate(state.quat_xyzw, (0.4, 0, 0))
    where = pybullet.getBasePositionAndOrientation(load_id, physicsClientId=world._client)[0]
    assert where == pytest.approx(np.add(state.pos_world, arm), abs=2e-3)
    world.write("base", "base", "payload_mass", 0.0)
    world.load_base(again=False)
    world.write("world", "world", "gravity", 9.81)
    before = world.base_state().lin_vel_world
    run(world, 100)
    assert world.base_state().lin_vel_world[2] - before[2] == pytest.approx(-9.81 * 100 * DT, abs=0.05)


def test_a_fixed_base_carries_nothing(load: Loader) -> None:
    assert load(fixed_base=True).names("base") == ()
    assert load().names("base") == ("base",)


def test_run_is_step_after_step(load: Loader) -> None:
    stepped, ran = load(), load()
    for world in (stepped, ran):
        world.reset([0.1], [0.2])
    for _ in range(50):
        stepped.step([0.3 - stepped.joint_vel[0]])
    ran.run(lambda states: [0.3 - states[0][1]], 50)
    assert ran.states == stepped.states


def test_an_object_lies_where_it_is_put(load: Loader, tmp_path: Path) -> None:
    (tmp_path / "cube.urdf").write_text(f'<robot name="cube">{TRUNK.replace("trunk", "cube")}</robot>')
    world = load(objects={"cube": {"file": "cube.urdf", "pos": (1.0, 0, 0.05)}}, floor=True)
    assert world.object_pose("cube")[0] == pytest.approx((1, 0, 0.05))
    world.place_object("cube", (0.5, 0.5, 0.2), from_yaw(0.5))
    assert world.object_pose("cube")[0] == pytest.approx((0.5, 0.5, 0.2))
    run(world, 400)
    assert world.object_pose("cube")[0][2] < 0.1
    world.reset([0.0], [0.0])
    assert world.object_pose("cube")[0] == pytest.approx((1, 0, 0.05))
    assert world.names("link") == ("trunk", "wheel", "cube")
