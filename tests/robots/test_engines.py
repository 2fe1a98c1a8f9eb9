"""Two engines, one robot: where both solve the same equations they agree to rounding, and only there."""

from __future__ import annotations

from functools import partial
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain_rand.parameters import TABLE
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from robots import engines
from robots.bullet.world import BulletWorld
from robots.engines import Simulator, open_world
from robots.model import Engine, Model
from robots.robot_env import RobotEnv
from robots.simulated import SimulatedRobot
from robots.spec import load_robot
from robots.task import Start

pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")
from robots.mujoco.world import MujocoWorld

ENGINES: tuple[Engine, ...] = ("pybullet", "mujoco")
ROBOTS = [
    ("cartpole", None),
    ("double_pendulum", None),
    ("servo_arm", None),
    ("kuka", None),
    ("kuka", "push"),
    ("panda", None),
    ("a1", None),
    ("aliengo", None),
    ("husky", None),
]
INERTIA = 0.0042 + 0.2 * 0.25**2 + 0.0004 + 0.6 * 0.5**2
MASS_MOMENT = 0.2 * 0.25 + 0.6 * 0.5
"""Of the servo arm about its shoulder [kg·m²], [kg·m]."""

AGREE = 1e-9
"""What rounding may make of two engines after half a second of smooth motion [rad, rad/s]."""

SWINGS = {
    "servo_arm": ([3.0], [0.5]),
    "cartpole": ([8.0, 0.0], [0.0, 0.4]),
    "double_pendulum": ([1.0, 0.5], [0.5, -0.3]),
    "kuka": ([20.0, 20.0, 10.0, 10.0, 0.02, 0.02, 0.005], [0.0, 0.6, 0.0, -1.2, 0.0, 1.0, 0.0]),
}
"""Amplitudes of joint torques [N·m] and where the motion starts [rad]."""


def world(robot: str, engine: Engine, **model: Any) -> Simulator:
    """The links of a robot, without what its drives have."""
    spec, _ = load_robot(robot, engine=engine)
    return open_world(spec.model_copy(update={"model": spec.model.model_copy(update=model)}))


def respond(robot: Simulator, name: str, dt: float, seconds: float = 0.5) -> np.ndarray:
    """Positions and velocities `[steps, 2 · joints]` under sines of the joints' own amplitude and frequency."""
    amplitudes, start = SWINGS[name]
    robot.reset(start, [0.0] * len(start))
    rows = []
    for time in dt * np.arange(round(seconds / dt)):
        robot.step([a * np.sin(2 * pi * (1 + 0.5 * i) * time + i) for i, a in enumerate(amplitudes)])
        rows.append(robot.joint_pos + robot.joint_vel)
    robot.close()
    return np.array(rows)


def apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max())


@pytest.mark.parametrize("name", SWINGS)
def test_the_same_torques_move_the_same_links_alike(name: str) -> None:
    """Also for the negative control: one engine's distal link is 1 % heavier, and they part a million times further."""
    dt = load_robot(name)[0].model.physics_dt
    seconds = 0.25 if name == "kuka" else 0.5  # then the iiwa's wrist is at its limit
    one, other = (respond(world(name, engine), name, dt, seconds) for engine in ENGINES)
    assert np.ptp(one, axis=0).max() > 0.2
    assert apart(one, other) < AGREE
    heavier = world(name, "mujoco")
    link = heavier.names("link")[-1]
    heavier.write("link", link, "mass", 1.01 * heavier.nominal("link", link, "mass"))
    assert apart(one, respond(heavier, name, dt, seconds)) > 1e6 * apart(one, other)


BARE = """<robot name="bare"><link name="world"/><link name="shade"/>
  <link name="tip">
    <inertial><origin xyz="0 0 -0.2" rpy="0.3 0 0.2"/><mass value="1"/>
      <inertia ixx="0.01" iyy="0.012" izz="0.011" ixy="0.001" ixz="0.002" iyz="0"/></inertial>
    <collision><geometry><sphere radius="0.05"/></geometry></collision>
  </link>
  <joint name="swing" type="revolute"><parent link="world"/><child link="tip"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="0" effort="0.1" velocity="1"/><dynamics damping="1" friction="1"/></joint>
  <joint name="cord" type="fixed"><parent link="tip"/><child link="shade"/><origin xyz="0.1 0 -0.4" rpy="0 0.5 0"/>
  </joint></robot>"""


def test_what_a_file_leaves_unsaid_is_read_alike(tmp_path: Path) -> None:
    """Links without mass, a root called world, a range of nothing, products of inertia, damping that is not wanted."""
    path, found = tmp_path / "bare.urdf", []
    path.write_text(BARE)
    model = Model(file=path.name, base_pos=(0.3, 0.0, 1.0), physics_dt=0.002)
    for kind in (BulletWorld, MujocoWorld):
        lamp = kind(path, model, ["swing"])
        assert lamp.names("link") == ("tip", "shade")
        assert sorted(lamp.inertia("shade")) == [1.0, 1.0, 1.0]
        lamp.reset([0.3], [0.0])
        for _ in range(250):
            lamp.step([0.5])
        pos, quat = lamp.link_pose("shade")
        found.append([*lamp.joint_pos, *lamp.joint_vel, *pos, *quat, *lamp.link_vel("shade")[0]])
        lamp.close()
    assert np.array(found[0])[:2] == pytest.approx(np.array(found[1])[:2], abs=AGREE)
    assert found[0] == pytest.approx(found[1], abs=1e-5)  # PyBullet reports frames in single precision
    assert 0.1 < found[0][0] < 0.29


def test_geared_rotors_part_by_pybullet_s_step_and_shrink_with_it() -> None:
    """PyBullet's rotors feel the acceleration of the step before, MuJoCo's that of the step itself."""

    def parted(dt: float) -> float:
        found = []
        for engine in ENGINES:
            robot = world("double_pendulum", engine, physics_dt=dt, solver_substeps=1)
            for joint in robot.joint_names:
                robot.write("joint", joint, "reflected_inertia", 0.0022633934)
            found.append(respond(robot, "double_pendulum", dt))
        both = [rows[:: round(2e-3 / dt), :2] for rows in found]
        return apart(*both)

    coarse, middle, fine = parted(1e-3), parted(5e-4), parted(2.5e-4)
    assert coarse < 5e-3
    assert coarse / middle == pytest.approx(2.0, abs=0.1)
    assert middle / fine == pytest.approx(2.0, abs=0.1)


def test_joints_in_a_wrong_order_are_another_machine() -> None:
    dt = load_robot("double_pendulum")[0].model.physics_dt
    spec, _ = load_robot("double_pendulum", engine="mujoco")
    turned = spec.contract.model_copy(update={"joints": spec.contract.joints[::-1]})
    swapped = spec.model_copy(update={"contract": turned})
    right = respond(world("double_pendulum", "pybullet"), "double_pendulum", dt)
    assert apart(right, respond(open_world(swapped), "double_pendulum", dt)) > 0.5
    robot = open_world(swapped)  # by name, the order is anyone's
    assert robot.joint_names == ("elbow", "shoulder")
    robot.reset([-0.3, 0.5], [0.0, 0.0])
    rows = []
    for time in dt * np.arange(round(0.5 / dt)):
        robot.step([0.5 * np.sin(3 * pi * time + 1), np.sin(2 * pi * time)])
        rows.append(robot.joint_pos[::-1] + robot.joint_vel[::-1])
    assert apart(right, np.array(rows)) < AGREE


@pytest.mark.parametrize("engine", ENGINES)
def test_a_small_swing_has_the_period_of_a_pendulum(engine: Engine) -> None:
    arm, dt = world("servo_arm", engine), load_robot("servo_arm")[0].model.physics_dt
    arm.reset([0.05], [0.0])
    pos = []
    for _ in range(2000):
        arm.step([0.0])
        pos += arm.joint_pos
    arm.close()
    rows = np.array(pos)
    falls = np.flatnonzero((rows[:-1] > 0) & (rows[1:] <= 0))
    times = falls + rows[falls] / (rows[falls] - rows[falls + 1])
    assert np.diff(times).mean() * dt == pytest.approx(2 * pi * sqrt(INERTIA / (9.81 * MASS_MOMENT)), rel=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_held_arm_needs_the_torque_of_its_weight_and_a_freed_one_falls_by_it(engine: Engine) -> None:
    arm, dt = world("servo_arm", engine), load_robot("servo_arm")[0].model.physics_dt
    weight = 9.81 * MASS_MOMENT * np.sin(1.1)
    arm.reset([1.1], [0.0])
    arm.step([weight])
    assert abs(arm.joint_vel[0]) < 1e-12
    arm.step([0.0])
    assert arm.joint_vel[0] / dt == pytest.approx(-weight / INERTIA, rel=1e-2)
    arm.close()


@pytest.mark.parametrize(("name", "task"), ROBOTS)
def test_nominal_values_are_the_same(name: str, task: str | None) -> None:
    one, other = (open_world(load_robot(name, task, engine)[0]) for engine in ENGINES)
    for group in ("link", "world", "base"):
        assert one.names(group) == other.names(group)
    for link in one.names("link"):
        assert sorted(one.inertia(link)) == pytest.approx(sorted(other.inertia(link)), rel=1e-4)
        for field in ("mass", "inertia", "lateral_friction"):
            assert one.nominal("link", link, field) == pytest.approx(other.nominal("link", link, field))
    one.close()


@pytest.mark.parametrize(("name", "task"), ROBOTS)
def test_a_world_is_the_same_in_both_and_is_read_back(name: str, task: str | None) -> None:
    one, other = (RobotEnv(name, task=task, engine=engine) for engine in ENGINES)
    for index in range(5):
        first, second = (env.reset(seed=3, options={"world": index})[1]["params"] for env in (one, other))
        assert first == second
        assert one.applied == pytest.approx(other.applied, rel=1e-6)
    one.close()


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_every_quantity_is_read_as_written_or_refused_by_name(row: Any) -> None:
    robot = SimulatedRobot(load_robot("a1", engine="mujoco")[0])
    for name in robot.names(row.group):
        if row.name in REFUSED:
            for refused in (robot.nominal, robot.read, partial(robot.write, value=0.7)):
                with pytest.raises(ConfigError, match=f"engine mujoco does not simulate {row.field}"):
                    refused(row.group, name, row.field)
            continue
        nominal = robot.nominal(row.group, name, row.field)
        assert robot.read(row.group, name, row.field) == pytest.approx(nominal)
        robot.write(row.group, name, row.field, 0.7)
        assert robot.read(row.group, name, row.field) == pytest.approx(0.7)
        robot.write(row.group, name, row.field, nominal)


REFUSED = {
    *("linear_damping", "angular_damping", "rolling_friction", "spinning_friction"),
    *("restitution", "contact_stiffness", "contact_damping"),
}


def test_a_distribution_over_what_it_lacks_is_refused_before_anything_is_written() -> None:
    draws = {"unit": "1", "draw": {"distribution": "choice", "values": [0.9]}}
    entries = {
        "a_mass": {"parameter": "link_mass", "op": "scale", **draws},
        "bounce": {"parameter": "restitution", **draws},
    }
    env = RobotEnv("servo_arm", Randomization.parse({"parameters": entries}), engine="mujoco")
    with pytest.raises(ConfigError, match="link arm: engine mujoco does not simulate restitution"):
        env.reset(seed=0)
    assert env.robot.read("link", "payload", "mass") == 0.6


def play(env: RobotEnv, index: int) -> list[Any]:
    """Everything that is observed, earned and true, under actions drawn by the world's index."""
    rng = np.random.default_rng(index)
    rows: list[Any] = [env.reset(seed=0, options={"world": index})[0].tolist()]
    for _ in range(20):
        observation, reward, terminated, *_ = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
        rows.append([*observation.tolist(), reward, terminated, *env.robot.world.states, *env.robot.world.base_state()])
    return rows


@pytest.mark.parametrize(("name", "task"), ROBOTS)
def test_equal_keys_replay_bit_for_bit_after_any_history(name: str, task: str | None) -> None:
    env = RobotEnv(name, task=task, engine="mujoco")
    first = play(env, 1)
    assert play(env, 2) != first
    assert play(env, 1) == first
    assert play(RobotEnv(name, task=task, engine="mujoco"), 1) == first


@pytest.mark.parametrize("name", ["a1", "aliengo"])
def test_a_quadruped_stands_on_its_feet_in_both(name: str) -> None:
    heights, forces = [], []
    for engine in ENGINES:
        robot = SimulatedRobot(load_robot(name, engine=engine)[0])
        robot.start(Start(), np.random.default_rng(0))
        for _ in range(100):
            robot.step(robot.limiter.last)
        toes = [link for link in robot.names("link") if "toe" in link]
        heights.append(robot.view.base_height[0])
        forces.append(sum(robot.view.contact_force(toe) for toe in toes))
        mass = sum(robot.read("link", link, "mass") for link in robot.names("link"))
        assert forces[-1] == pytest.approx(9.81 * mass, rel=0.05)
        robot.close()
    assert heights[0] == pytest.approx(heights[1], abs=3e-3)


def test_the_husky_weighs_the_same_on_its_wheels_and_has_its_links_where_pybullet_reads_them() -> None:
    """Its file has a macro that was never filled in, where a link's place belongs."""
    places, heights = [], []
    for engine in ENGINES:
        robot = SimulatedRobot(load_robot("husky", engine=engine)[0])
        robot.start(Start(), np.random.default_rng(0))
        links = robot.names("link")
        places.append(np.array([robot.world.link_pose(link)[0] for link in links]))
        for _ in range(40):
            robot.step([0.0] * 4)
        wheels = [link for link in links if "wheel" in link]
        mass = sum(robot.read("link", link, "mass") for link in links)
        assert sum(robot.view.contact_force(wheel) for wheel in wheels) == pytest.approx(9.81 * mass, rel=0.05)
        heights.append(robot.view.base_height[0])
        robot.close()
    assert apart(*places) < 1e-3
    assert heights[0] == pytest.approx(heights[1], abs=5e-3)


def test_the_rewards_of_the_same_actions_agree_where_nothing_touches() -> None:
    def rewards(engine: Engine, **params: float) -> np.ndarray:
        env = RobotEnv("servo_arm", engine=engine)
        env.reset(seed=1, options={"world": 4, "params": params})
        rng = np.random.default_rng(0)
        found = [env.step(rng.uniform(-0.3, 0.3, 1).astype(np.float32))[1] for _ in range(80)]
        env.close()
        return np.array(found)

    assert apart(rewards("pybullet"), rewards("mujoco")) < AGREE
    assert apart(rewards("pybullet"), rewards("mujoco", payload_mass=0.35)) > 1e-3


def test_an_engine_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"mujoco is not installed; pip install 'simshift\[mujoco\]'"):
        RobotEnv("servo_arm", engine="mujoco")
    with pytest.raises(ConfigError, match=r"pybullet is not installed; pip install 'simshift\[train\]'"):
        RobotEnv("servo_arm")


def test_an_unknown_engine_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="'pybullet' or 'mujoco'"):
        RobotEnv("servo_arm", engine="mujco")  # type: ignore[arg-type]
