"""The arms against their URDFs, mechanics, and scripted controllers that know kinematics only."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from domain_rand.randomizer import Randomization
from robots.robot_env import RobotEnv
from robots.spec import load_robot, urdf_path
from robots.task import Start
from tests.robots.arm_control import DOWN, Arm, Pusher, Servo, action_for

ARMS = ("kuka", "panda")
NOMINAL = Randomization.parse({"parameters": {}})
HEAVIEST_DRIVE = 1.2 * 1.2
"""Strongest motor times stiffest gain that a world may draw."""

CONTACT = {"kuka": 0.115, "panda": 0.072}
"""Distance of tool and puck axis when they touch [m]."""

PUSH_HEIGHT = {"kuka": 0.085, "panda": 0.04}
"""Height of the tool's frame at which it meets the puck's side [m]."""


@pytest.fixture(scope="module", params=ARMS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def env(name: str) -> Iterator[RobotEnv]:
    """The arm as its files describe it."""
    env = RobotEnv(name, NOMINAL)
    yield env
    env.close()


@pytest.fixture(scope="module")
def arm(env: RobotEnv) -> Iterator[Arm]:
    arm = Arm(env.spec_of_robot, env.task.tool)  # type: ignore[attr-defined]
    yield arm
    arm.close()


def rest(env: RobotEnv) -> np.ndarray:
    return np.array([joint.default_pos for joint in env.contract.joints])


def swung(env: RobotEnv, steps: int = 60, **options: Any) -> np.ndarray:
    """Joint positions of an episode under a swing of all joints, `[steps, 7]`."""
    env.reset(seed=0, options={"world": 3, **options})
    rows = []
    for step in range(steps):
        env.step(np.full(7, 0.5 * np.sin(0.1 * step), dtype=np.float32))
        rows.append(env.robot.view.joint_pos)
    return np.array(rows)


def test_joints_are_the_urdf_s_in_order_and_within_its_limits(name: str) -> None:
    spec = load_robot(name)[0]
    movable = [j for j in ET.parse(urdf_path(spec)).getroot().iter("joint") if j.get("type") == "revolute"]
    assert tuple(j.get("name") for j in movable) == spec.contract.joint_names
    for element, joint in zip(movable, spec.contract.joints, strict=True):
        limit, soft = element.find("limit"), element.find("safety_controller")
        assert limit is not None
        low, high = limit.get("lower"), limit.get("upper")
        if soft is not None:
            low, high = soft.get("soft_lower_limit"), soft.get("soft_upper_limit")
        assert joint.pos_limit == (float(low or "nan"), float(high or "nan"))
        assert joint.torque_limit <= float(limit.get("effort", "nan"))
        assert joint.vel_limit <= float(limit.get("velocity", "nan"))
    assert spec.contract.action.rate_limit == tuple(joint.vel_limit for joint in spec.contract.joints)


def test_every_goal_can_be_reached_within_the_command_limits(env: RobotEnv, arm: Arm) -> None:
    goals, rng = env.task.goals, np.random.default_rng(1)  # type: ignore[attr-defined]
    corners = [
        [radius * np.cos(azimuth), radius * np.sin(azimuth), height]
        for radius, azimuth, height in product(goals.radius, goals.azimuth, goals.height)
    ]
    errors = [arm.solve(rest(env), np.array(goal))[1] for goal in corners + [goals.draw(rng) for _ in range(100)]]
    assert max(errors) < 0.01


def test_a_scripted_controller_reaches_every_goal_and_the_reward_rises(env: RobotEnv, arm: Arm) -> None:
    for world in range(5):
        env.reset(seed=0, options={"world": world})
        servo, goal = Servo(env, arm), np.array(env.episode.command_signals(0, env.robot.view)["tool_pos_goal"])
        rewards = [env.step(servo.action(goal))[1] for _ in range(env.horizon)]
        assert env.success
        assert rewards[-1] == 1.0 > rewards[0]
        assert np.min(np.diff(rewards)) > -0.1


def test_drives_are_stable_in_any_pose_of_the_stiffest_world(env: RobotEnv) -> None:
    """An explicit drive diverges where dt · d + dt² · k / 2 exceeds twice the inertia it meets."""
    dt, robot = env.spec_of_robot.model.physics_dt, env.robot
    drives = robot.bank.actuators[:7]
    gains = [HEAVIEST_DRIVE * (d.kd * dt + d.kp * dt * dt / 2) + (2.0 + 2 * d.coulomb / 0.05) * dt for d in drives]
    extra = [0.0] * (len(robot.world.joint_names) - 7)
    low, high = np.array(env.contract.command_limits).T
    robot.world.write("world", "world", "gravity", 0.0)
    rng = np.random.default_rng(0)
    for _ in range(100):
        pose, rows = rng.uniform(low, high).tolist() + extra, []
        for joint in range(7):
            robot.world.reset(pose, [0.0] * len(pose))
            robot.world.step([float(i == joint) for i in range(len(pose))])
            rows.append([vel / dt for vel in robot.world.joint_vel[:7]])
        mobility = np.array(rows).T
        assert np.linalg.eigvals(mobility * gains).real.max() < 2.0
    robot.world.write("world", "world", "gravity", 9.81)


def test_with_motors_off_the_arm_falls_and_comes_to_rest(name: str) -> None:
    env = RobotEnv(name, NOMINAL)
    for joint in env.contract.joint_names:
        env.robot.write("joint", joint, "strength", 0.0)
    env.robot.start(Start(), np.random.default_rng(0))
    speeds = []
    for _ in range(600):
        env.robot.step(env.robot.limiter.last)
        speeds.append(max(map(abs, env.robot.view.joint_vel)))
    assert 1.0 < max(speeds) < 20.0
    assert speeds[-1] < 0.1
    env.close()


def test_a_payload_pulls_the_arm_down(name: str) -> None:
    env = RobotEnv(name)
    middle = {label: entry.draw.quantile(0.5) for label, entry in env.randomization.parameters.items()}
    light, heavy = (
        swung(env, params={**middle, "payload": mass}) for mass in env.randomization.parameters["payload"].draw.support
    )
    shoulder, elbow = 1, 3
    assert (heavy - light)[-1, shoulder] > 0.005
    assert abs((heavy - light)[-1, elbow]) > 0.002
    env.close()


def test_a_weak_motor_and_a_late_command_are_felt(name: str) -> None:
    env = RobotEnv(name)
    middle = {label: entry.draw.quantile(0.5) for label, entry in env.randomization.parameters.items()}
    plain = swung(env, params=middle)
    for change in ({"motor_strength_2": 0.7}, {"command_delay": 0.04}):
        assert np.abs(swung(env, params={**middle, **change}) - plain).max() > 0.01
    env.close()


@pytest.mark.parametrize("task", ["reach", "push"])
def test_equal_keys_replay_bit_for_bit(name: str, task: str) -> None:
    env, other = RobotEnv(name, task=task), RobotEnv(name, task=task)
    first = swung(env)
    swung(env, episode=1)
    assert np.array_equal(swung(env), first)
    assert np.array_equal(swung(other), first)
    env.close()
    other.close()


@pytest.mark.parametrize("task", ["reach", "reach_sparse", "push", "push_sparse", "track_target"])
def test_every_task_passes_gymnasium_s_own_check(name: str, task: str) -> None:
    env = RobotEnv(name, task=task)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)
    env.reset(seed=0)
    env.action_space.seed(0)
    rewards = [env.step(env.action_space.sample())[1] for _ in range(20)]
    assert set(rewards) <= {-1.0, 0.0} if task.endswith("_sparse") else all(0.0 <= reward <= 1.0 for reward in rewards)
    env.close()


def test_joint_targets_lie_within_the_command_limits(name: str) -> None:
    spec = load_robot(name, "track_target")[0]
    centre, (low, high) = np.array(spec.task.task.target_centre), spec.task.task.target_range  # type: ignore[attr-defined]
    limits = np.array(spec.contract.command_limits)
    assert np.all(limits[:, 0] <= centre + low)
    assert np.all(centre + high <= limits[:, 1])


def test_joint_targets_are_drawn_around_their_centre(name: str) -> None:
    env = RobotEnv(name, NOMINAL, task="track_target")
    targets = []
    for world in range(200):
        env.reset(seed=0, options={"world": world})
        targets.append(env.episode.command_signals(0, env.robot.view)["joint_pos_target"])
    centre = np.array(env.task.target_centre)  # type: ignore[attr-defined]
    assert np.abs(np.mean(targets, axis=0) - centre).max() < 0.08
    assert 0.45 < np.abs(np.array(targets) - centre).max() <= 0.5
    env.close()


def test_the_scene_is_the_push_s_alone(name: str) -> None:
    reach, push = load_robot(name, "reach")[0].model, load_robot(name, "push")[0].model
    assert (reach.floor, tuple(reach.objects)) == (False, ())
    assert (push.floor, tuple(push.objects)) == (True, ("puck",))
    assert push.model_copy(update={"floor": False, "objects": {}}) == reach


def test_the_hand_stays_closed() -> None:
    env = RobotEnv("panda", NOMINAL)
    env.reset(seed=0)
    for step in range(50):
        env.step(np.full(7, (-1.0) ** (step // 10), dtype=np.float32))
        assert np.abs(env.robot.view.passive_joint_pos).max() < 1e-3
    env.close()


def test_the_tool_can_stand_all_around_every_place_of_the_puck(name: str, arm: Arm, env: RobotEnv) -> None:
    places, rng = load_robot(name, "push")[0].task.task.places, np.random.default_rng(0)  # type: ignore[attr-defined]
    for _ in range(40):
        (x, y, _), turn, away = places.draw(rng), rng.uniform(-np.pi, np.pi), CONTACT[name] + 0.015
        wanted = np.array([x + away * np.cos(turn), y + away * np.sin(turn), PUSH_HEIGHT[name], *DOWN])
        assert arm.solve(rest(env), wanted)[1] < 0.01


def test_a_scripted_push_moves_the_puck_to_its_goal(name: str, arm: Arm) -> None:
    env = RobotEnv(name, NOMINAL, task="push")
    view, reached = env.robot.view, []
    for world in (0, 3, 4):
        env.reset(seed=0, options={"world": world})
        start = view.object_pos_world("puck")
        servo, pusher = Servo(env, arm), Pusher(env.episode, CONTACT[name], PUSH_HEIGHT[name])  # type: ignore[arg-type]
        rewards = []
        for _ in range(env.horizon):
            wanted = pusher.wanted(
                np.array(view.object_pos_world("puck"))[:2], np.array(view.link_pos_world(arm.tool_link))
            )
            rewards.append(env.step(servo.action(wanted, pusher.max_step))[1])
        assert np.linalg.norm(np.subtract(view.object_pos_world("puck"), start)) > 0.03
        reached.append(max(rewards) == 1.0 > rewards[0])
    assert sum(reached) >= 2
    env.close()


def test_an_untouched_puck_stays_where_it_was_put(name: str) -> None:
    env = RobotEnv(name, NOMINAL, task="push")
    env.reset(seed=0)
    start = env.robot.view.object_pos_world("puck")
    hold = action_for(env.contract, rest(env))
    for _ in range(100):
        env.step(hold)
    assert env.robot.view.object_pos_world("puck") == pytest.approx(start, abs=2e-3)
    env.close()


def test_the_puck_is_part_of_the_push_s_worlds_only(name: str) -> None:
    assert "puck_mass" not in load_robot(name)[1].names
    env = RobotEnv(name, task="push")
    applied = env.reset(seed=0, options={"params": {"puck_mass": 1.2}})[1]["applied"]
    assert applied["puck_mass/puck"] == env.robot.world.read("link", "puck", "mass") == 1.2
    env.close()
