"""The bodies that move through the world: they stand, fall, drive, slip and are pushed as they should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import atan2, cos, hypot

import numpy as np
import pytest

from domain_rand.randomizer import Randomization
from robots.bullet.inspection import loaded_limits, lowest_point
from robots.model import Model
from robots.robot_env import RobotEnv
from robots.rotation import yaw_of
from robots.simulated import SimulatedRobot
from robots.spec import load_robot

BODIES = ("husky", "half_cheetah", "hopper", "ant", "aliengo")
NOMINAL = Randomization.parse({"parameters": {}})
MASS = {"husky": 50.0, "half_cheetah": 38.2, "hopper": 15.8, "ant": 182.2, "aliengo": 20.6}


@pytest.fixture(params=BODIES)
def env(request: pytest.FixtureRequest) -> Iterator[RobotEnv]:
    env = RobotEnv(request.param, randomization=NOMINAL)
    env.task = env.task.model_copy(update={"start_std": 0.0})
    env.reset(seed=0)
    yield env
    env.close()


@pytest.fixture
def husky() -> Iterator[RobotEnv]:
    env = RobotEnv("husky", randomization=NOMINAL)
    yield env
    env.close()


def holding(env: RobotEnv) -> list[float]:
    """A command that keeps the default pose, in whatever the drive understands."""
    view, joints = env.robot.view, env.contract.joints
    if env.contract.action.mode != "torque":
        return (
            list(env.robot.limiter.last) if env.contract.action.mode == "velocity" else [j.default_pos for j in joints]
        )
    states = zip(joints, view.joint_pos, view.joint_vel, strict=True)
    return [j.torque_limit * (3.0 * (j.default_pos - pos) - 0.1 * vel) for j, pos, vel in states]


def fastest(env: RobotEnv, seconds: float, hold: bool) -> float:
    """Largest speed of the base [m/s] while the drives hold the pose, or have no strength."""
    if not hold:
        for joint in env.contract.joint_names:
            env.robot.write("joint", joint, "strength", 0.0)
        env.robot.refresh()
    speeds = []
    for _ in range(round(seconds / env.contract.control_dt)):
        env.step_command(holding(env))
        speeds.append(hypot(*env.robot.view.base_lin_vel_world))
    return max(speeds)


def test_it_starts_on_the_floor_and_not_in_it(env: RobotEnv) -> None:
    assert abs(lowest_point(env.robot.world)) < 2e-3


def test_it_starts_at_rest_without_jumping(env: RobotEnv) -> None:
    assert fastest(env, 0.5, hold=True) < 0.36  # drives give way under the weight, and that is all
    assert not env.episode.terminated(1, env.robot.view)


def test_without_motors_it_falls_and_no_faster_than_a_body_falls(env: RobotEnv) -> None:
    height = env.robot.view.base_height[0]
    assert fastest(env, 2.0, hold=False) < (2 * 9.81 * max(height, 0.2)) ** 0.5
    assert max(map(abs, env.robot.view.joint_vel)) < 30.0


def test_joint_order_and_limits_are_the_model_file_s(env: RobotEnv) -> None:
    limits = loaded_limits(env.robot.world)
    joints = env.contract.joints
    assert [name for name in limits if name in env.contract.joint_names] == list(env.contract.joint_names)
    assert {*limits} == {*env.spec_of_robot.joint_names}
    for joint in joints:
        assert limits[joint.name] is None or joint.pos_limit == pytest.approx(limits[joint.name])


def test_its_mass_is_what_pybullet_makes_of_the_file(env: RobotEnv) -> None:
    mass = sum(env.robot.nominal("link", link, "mass") for link in env.robot.names("link"))
    assert mass == pytest.approx(MASS[env.contract.robot], abs=0.05)
    inertia = [env.robot.world.inertia(link) for link in env.robot.names("link")]
    assert min(map(min, inertia)) > 0


def test_random_actions_stay_finite_and_inside_the_ranges(env: RobotEnv) -> None:
    rng = np.random.default_rng(0)
    for step in range(500):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        assert env.observation_space.contains(observation)
        assert (-26 if terminated else -1) <= reward <= 1
        if terminated or truncated:
            env.begin_episode(step)


def test_a_push_moves_the_base(env: RobotEnv) -> None:
    def pushed(force: float) -> float:
        env.begin_episode(0)
        for _ in range(10):
            env.robot.world.push((force, 0.0, 0.0))
            env.step_command(holding(env))
        return env.robot.view.base_pos_world[0]

    assert pushed(20 * 9.81 * MASS[env.contract.robot]) - pushed(0.0) > 1e-3


def test_hopper_is_the_stock_body_seen_from_other_frames() -> None:
    """A limp fall through the air from the same pose, in this folder's file and in the stock one."""
    spec, ended = load_robot("hopper")[0], []
    for file in ("hopper.xml", "pybullet_data:mjcf/hopper.xml"):
        model = Model.parse({**spec.model.model_dump(), "file": file, "floor": False})
        robot = SimulatedRobot(spec.model_copy(update={"model": model}))
        robot.world.reset([-0.4, -0.8, 0.3, 0.0, 0.0, 0.2], [1.0, -2.0, 0.5, 0.1, 0.0, 0.3])
        for _ in range(60):
            robot.world.step([0.0] * 6)
        ended.append(robot.world.joint_pos)
        robot.close()
    # in the air angles do not depend on where the planar joints have their origin, but the integrator's errors do
    assert [ended[0][i] for i in (0, 1, 2, 5)] == pytest.approx([ended[1][i] for i in (0, 1, 2, 5)], abs=5e-3)
    assert abs(ended[0][0] + 0.4) > 0.05


def wheels(forward: float, turn: float) -> np.ndarray:
    left, right = forward - turn, forward + turn
    return np.clip([left, right, left, right], -1, 1).astype(np.float32)


def drive(env: RobotEnv, forward: float, turn: float, steps: int = 40) -> tuple[float, float, float]:
    env.task = env.task.model_copy(update={"start_std": 0.0})
    env.reset(seed=0)
    for _ in range(steps):
        env.step(wheels(forward, turn))
    view = env.robot.view
    return view.base_pos_world[0], view.base_pos_world[1], yaw_of(view.base_quat_xyzw)


def to_goal(way: Sequence[float]) -> np.ndarray:
    """A driver: turn towards the goal, go as far as it lies ahead."""
    distance, bearing = hypot(*way), atan2(way[1], way[0])
    forward = float(np.clip(1.5 * distance * cos(bearing), -1, 1))
    return wheels(0.7 * forward, float(np.clip(2.5 * bearing, -1, 1)) * min(1.0, 3 * distance))


@pytest.mark.parametrize(("forward", "turn"), [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
def test_husky_goes_and_turns_where_its_wheels_say(husky: RobotEnv, forward: float, turn: float) -> None:
    x, y, yaw = drive(husky, forward, turn)
    if forward:
        assert x == pytest.approx(2.0 * forward, abs=0.15)  # 2 s at 6 rad/s × 0.178 m
        assert abs(y) < 0.02
    assert yaw * turn > 1.0 if turn else abs(yaw) < 0.02


def test_a_driver_brings_the_husky_to_its_goal_in_any_world() -> None:
    env = RobotEnv("husky")
    part = env.contract.signal_slices["goal_pos_heading"]
    for world in range(4):
        observation, _ = env.reset(seed=0, options={"world": world})
        assert not env.success
        while not env.success and env.step_count < env.horizon:
            observation = env.step(to_goal(observation[part]))[0]
        assert env.success
        assert hypot(*observation[part]) < 0.4
    env.close()


def test_a_slippery_floor_lets_the_husky_turn_less(husky: RobotEnv) -> None:
    turned = []
    for friction in (0.3, 1.2):
        for link in ("front_left", "front_right", "rear_left", "rear_right"):
            husky.robot.write("link", f"{link}_wheel_link", "lateral_friction", friction)
        turned.append(drive(husky, 0.3, 0.4, steps=10))
    assert np.abs(np.subtract(*turned)).max() > 0.02


def test_the_aliengo_is_driven_by_whoever_drives_an_a1() -> None:
    cousins = [load_robot(name, "walk")[0].contract for name in ("a1", "aliengo")]
    for part in ("joint_names", "signals", "action", "control_dt"):
        assert getattr(cousins[0], part) == getattr(cousins[1], part)
