"""The double pendulum against its equations of motion, and what the published parameters say of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import atan, pi

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.actuators import friction_torque
from robots.robot_env import RobotEnv
from robots.simulated import SimulatedRobot
from robots.spec import RobotFile, RobotSpec, load_robot, robot_folder
from robots.task import Start
from tests.robots.pendulum_equations import B1, B2, CF1, CF2, GR, IR, bias, energy, mass_matrix


def without_rotors(spec: RobotSpec) -> RobotSpec:
    bare = {name: drive.model_copy(update={"gear_ratio": None, "reflected_inertia": 0.0}) for name, drive in DRIVES}
    return spec.model_copy(update={"model": spec.model.model_copy(update={"drives": bare})})


def lumped_into_links(spec: RobotSpec) -> RobotSpec:
    lumped = {name: drive.model_copy(update={"gear_ratio": None}) for name, drive in DRIVES}
    return spec.model_copy(update={"model": spec.model.model_copy(update={"drives": lumped})})


SPEC = load_robot("double_pendulum")[0]
DRIVES = SPEC.model.drives.items()
DT = SPEC.model.physics_dt
RNG = np.random.default_rng(0)
STATES = [(RNG.uniform(-pi, pi, 2), RNG.uniform(-6, 6, 2), RNG.uniform(-3, 3, 2)) for _ in range(40)]


@pytest.fixture
def robot() -> Iterator[SimulatedRobot]:
    robot = SimulatedRobot(SPEC)
    yield robot
    robot.close()


def fine(spec: RobotSpec, physics_dt: float) -> SimulatedRobot:
    model = spec.model.model_copy(update={"physics_dt": physics_dt, "solver_substeps": 1})
    return SimulatedRobot(spec.model_copy(update={"model": model}))


def worst_acceleration(robot: SimulatedRobot, rotor: float, steps: int) -> float:
    """Largest relative error of the acceleration in the last of `steps` from random states."""
    worst, world = 0.0, robot.world
    for start_pos, start_vel, torque in STATES:
        world.reset(start_pos.tolist(), start_vel.tolist())
        for _ in range(steps):
            pos, vel = np.array(world.joint_pos), np.array(world.joint_vel)
            world.step(torque.tolist())
        expected = np.linalg.solve(mass_matrix(pos, rotor), torque - bias(pos, vel))
        found = (np.array(world.joint_vel) - vel) / robot.physics_dt
        worst = max(worst, np.abs(found - expected).max() / np.abs(expected).max())
    return worst


def test_links_accelerate_as_the_equations_of_motion_say() -> None:
    links_only = fine(without_rotors(SPEC), 1e-4)
    assert worst_acceleration(links_only, 0.0, steps=1) < 1e-9
    assert worst_acceleration(links_only, IR, steps=1) > 0.05
    links_only.close()


def test_geared_rotors_couple_the_joints_as_published() -> None:
    geared = fine(SPEC, 1e-5)
    assert worst_acceleration(geared, IR, steps=12) < 1e-3
    lumped = fine(lumped_into_links(SPEC), 1e-5)
    assert worst_acceleration(lumped, IR, steps=12) > 0.05
    geared.close()
    lumped.close()


@pytest.mark.parametrize("rotor", [0.0, IR], ids=["links", "rotors"])
@pytest.mark.parametrize("start", [(2.0, 1.0), (1.0, 0.5), (3.0, 0.3)])
def test_energy_is_conserved_without_friction(rotor: float, start: tuple[float, float]) -> None:
    robot = SimulatedRobot(SPEC if rotor else without_rotors(SPEC))
    robot.world.reset(start, [0.0, 0.0])
    held = []
    for _ in range(round(2.0 / DT)):
        robot.world.step([0.0, 0.0])
        held.append(energy(np.array(robot.world.joint_pos), np.array(robot.world.joint_vel), rotor))
    robot.close()
    assert np.abs(np.array(held) / energy(np.array(start), np.zeros(2), rotor) - 1).max() < 0.025


def test_a_randomised_rotor_couples_as_itself() -> None:
    robot = fine(SPEC, 1e-5)
    for joint in ("shoulder", "elbow"):
        robot.write("joint", joint, "reflected_inertia", 2 * GR**2 * IR)
    assert worst_acceleration(robot, 2 * IR, steps=12) < 1e-3
    for joint in ("shoulder", "elbow"):
        robot.write("joint", joint, "reflected_inertia", robot.nominal("joint", joint, "reflected_inertia"))
    assert worst_acceleration(robot, IR, steps=12) < 1e-3
    robot.close()


def test_the_inner_loop_and_single_steps_are_one(robot: SimulatedRobot) -> None:
    ends = []
    for _ in range(2):
        robot.world.reset([2.0, 1.0], [1.0, -2.0])
        robot.bank.start([0.5, -0.5])
        robot.bank.hold([0.5, -0.5], 50)
        if ends:
            robot.world.run(robot.bank.torque, 50)
        else:
            for _ in range(50):
                robot.world.step(robot.bank.torque(robot.world.states))
        ends.append((robot.world.joint_pos, robot.world.joint_vel))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(("joint", "viscous", "coulomb"), [("shoulder", B1, CF1), ("elbow", B2, CF2)])
def test_friction_saturates_where_the_published_one_does(joint: str, viscous: float, coulomb: float) -> None:
    drive = SPEC.model.drive(joint)
    assert drive.viscous == viscous
    assert drive.coulomb == pytest.approx(coulomb * pi / 2, rel=1e-6)
    assert drive.reflected_inertia == pytest.approx(GR**2 * IR, rel=1e-6)
    for vel in (-8.0, -1.0, 1.0, 8.0):
        published = -viscous * vel - coulomb * atan(100 * vel)
        assert friction_torque(vel, drive.viscous, drive.coulomb) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("task", "driven"), [("acrobot", "elbow"), ("pendubot", "shoulder")])
def test_a_dead_drive_keeps_friction_and_rotor_and_takes_no_command(task: str, driven: str) -> None:
    spec = load_robot("double_pendulum", task)[0]
    assert spec.contract.joint_names == (driven,)
    assert spec.contract.signals == SPEC.contract.signals
    whole, part = SimulatedRobot(SPEC), SimulatedRobot(spec)
    index = SPEC.contract.joint_names.index(driven)
    place = dict(zip(SPEC.joint_names, (0.4, -0.7), strict=True))
    whole.start(Start([place[name] for name in SPEC.joint_names]), np.random.default_rng(0))
    part.start(Start([place[name] for name in spec.joint_names]), np.random.default_rng(0))
    for _ in range(50):
        whole.step([3.0 if i == index else 0.0 for i in range(2)])
        part.step([3.0])
    for name in SPEC.joint_names:
        assert part.view.joint_pos_of(name) == pytest.approx(whole.view.joint_pos_of(name), abs=1e-9)
    whole.close()
    part.close()


def test_an_unknown_joint_to_drive_names_the_nearest() -> None:
    file = RobotFile.load(robot_folder("double_pendulum") / "robot.yaml")
    wrong = file.model_copy(update={"tasks": {"full": {"task": "swing_up_chain", "actuated": ["elbov"]}}})
    with pytest.raises(ConfigError, match="task full: actuated: no joint 'elbov'; did you mean 'elbow'"):
        wrong.spec("full")


@pytest.mark.parametrize("task", ["full", "acrobot", "pendubot", "balance"])
def test_every_task_pays_between_0_and_1_for_a_step_that_does_not_end_in_a_fall(task: str) -> None:
    env = RobotEnv("double_pendulum", task=task)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        assert 0.0 <= reward + env.task.fall_cost * terminated <= 1.0
        assert env.observation_space.contains(observation)
        if terminated or truncated:
            env.reset()
    env.close()
