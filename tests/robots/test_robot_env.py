from __future__ import annotations

import json
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from robots.rewards import closeness
from robots.robot_env import RobotEnv
from robots.safety import UnsafeCommand
from robots.spec import load_robot

ROOT = Path(__file__).parents[2]
RANDOMIZATION = load_robot("servo_arm")[1]
STEPS = 60


def action(step: int) -> np.ndarray:
    """A swing that reverses: it meets delay, dead band, friction and limits."""
    return np.array([0.6 * np.sin(0.3 * step)], dtype=np.float32)


def trajectory(env: RobotEnv, steps: int = STEPS, **reset: Any) -> np.ndarray:
    """What is observed, true state and reward of an episode, `[steps + 1, …]`."""
    observation, _ = env.reset(**reset)
    rows = [[*observation, *env.robot.world.joint_pos, *env.robot.world.joint_vel, 0.0]]
    for step in range(steps):
        observation, reward, *_ = env.step(action(step))
        rows.append([*observation, *env.robot.world.joint_pos, *env.robot.world.joint_vel, reward])
    return np.array(rows)


def key(seed: int, world: int, episode: int = 0) -> dict[str, Any]:
    return {"seed": seed, "options": {"world": world, "episode": episode}}


def test_equal_keys_replay_bit_for_bit_after_any_history(env: RobotEnv) -> None:
    first = trajectory(env, **key(3, 5))
    trajectory(env, **key(9, 1))
    env.reset(options={"params": {"motor_gain": 1.5}})
    for _ in range(40):
        env.step(np.ones(1, dtype=np.float32))  # into the joint limit
    assert np.array_equal(trajectory(env, **key(3, 5)), first)


def test_equal_keys_replay_bit_for_bit_in_a_fresh_process(env: RobotEnv) -> None:
    program = (
        "import json, sys; sys.path.insert(0, 'tests/robots'); import test_robot_env as t\n"
        "print('[[' + json.dumps(t.trajectory(t.RobotEnv(), **t.key(3, 5)).tolist()).lstrip('['))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    here = trajectory(env, **key(3, 5)).tolist()
    assert json.loads(result.stdout.strip().splitlines()[-1]) == here


def test_two_environments_do_not_leak(env: RobotEnv) -> None:
    alone = [trajectory(env, **key(0, 1)), trajectory(env, **key(0, 2))]
    pair = [RobotEnv(), RobotEnv()]
    rows: list[list[Any]] = [[], []]
    for i, other in enumerate(pair):
        other.reset(**key(0, i + 1))
    for step in range(STEPS):
        for i, other in enumerate(pair):
            rows[i].append(other.step(action(step))[0])
    for i, other in enumerate(pair):
        assert np.array_equal(np.array(rows[i]), alone[i][1:, :3].astype(np.float32))
        other.close()


@pytest.mark.parametrize("part", [key(4, 5), key(3, 6), key(3, 5, 1)], ids=["seed", "world", "episode"])
def test_every_part_of_the_key_changes_the_episode(env: RobotEnv, part: dict[str, Any]) -> None:
    assert not np.array_equal(trajectory(env, **part), trajectory(env, **key(3, 5)))


def test_streams_are_different_worlds(env: RobotEnv) -> None:
    held_out = RobotEnv(stream="test")
    assert held_out.reset(seed=0)[1]["params"] != env.reset(seed=0)[1]["params"]
    held_out.close()


@pytest.mark.parametrize("name", RANDOMIZATION.names)
def test_every_randomised_parameter_changes_what_happens(env: RobotEnv, name: str) -> None:
    low, high = RANDOMIZATION.parameters[name].draw.support
    middle = {other: RANDOMIZATION.parameters[other].draw.quantile(0.9) for other in RANDOMIZATION.names}
    pair = [trajectory(env, seed=0, options={"world": 0, "params": {**middle, name: value}}) for value in (low, high)]
    columns = slice(0, 2) if RANDOMIZATION.parameters[name].row.group == "signal" else slice(3, 5)
    assert np.abs(pair[0] - pair[1])[:, columns].max() > 1e-3


def test_the_world_stays_while_episodes_change(env: RobotEnv) -> None:
    env.reset(seed=1)
    before = (env.context.params, dict(env.applied), env.robot.world.read("link", "payload", "mass"))
    targets = [env.begin_episode(episode)[2] for episode in range(5)]
    assert (env.context.params, env.applied, env.robot.world.read("link", "payload", "mass")) == before
    assert len(set(targets)) == 5


def test_resets_walk_through_the_worlds_of_a_seed(env: RobotEnv) -> None:
    walked = [env.reset(seed=2 if i == 0 else None)[1]["params"] for i in range(3)]
    assert walked == [env.reset(**key(2, world))[1]["params"] for world in range(3)]


def test_fixed_parameters_are_applied_and_reported(env: RobotEnv) -> None:
    _, info = env.reset(seed=0, options={"params": {"payload_mass": 1.1, "arm_mass": 1.25}})
    assert info["params"]["payload_mass"] == 1.1
    assert info["applied"]["payload_mass/payload"] == env.robot.world.read("link", "payload", "mass") == 1.1
    assert info["applied"]["arm_mass/arm"] == pytest.approx(0.25)
    assert info["context"].shape == (len(RANDOMIZATION.names),)
    _, info = env.reset()
    assert info["params"]["payload_mass"] != 1.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parms": {}}, "reset option 'parms' is unknown; did you mean 'params'"),
        ({"params": {"paylod_mass": 1.0}}, "unknown parameter 'paylod_mass'; did you mean 'payload_mass'"),
    ],
)
def test_a_reset_refuses_what_it_does_not_know(env: RobotEnv, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        env.reset(options=options)


def test_a_reset_refuses_a_world_outside_physics(env: RobotEnv) -> None:
    env.reset(seed=0)
    held = env.robot.world.read("link", "arm", "mass")
    with pytest.raises(ValueError, match="payload: link_mass = -1 kg"):
        env.reset(options={"params": {"payload_mass": -1.0}})
    assert env.robot.world.read("link", "arm", "mass") == held


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_not_finite_moves_nothing(env: RobotEnv, bad: float) -> None:
    undisturbed = trajectory(env, **key(0, 0))
    env.reset(**key(0, 0))
    for step in range(STEPS):
        with pytest.raises(UnsafeCommand, match="not finite"):
            env.step(np.array([bad], dtype=np.float32))
        observation = env.step(action(step))[0]
    assert np.array_equal(observation, undisturbed[-1, :3].astype(np.float32))


def test_an_action_past_one_is_one(env: RobotEnv) -> None:
    states = []
    for value in (1.0, 7.0):
        env.reset(**key(0, 0))
        outcome = [env.step(np.array([value], dtype=np.float32))[1] for _ in range(5)]
        states.append((outcome, env.robot.world.joint_pos, env.last_action))
    assert states[0] == states[1]
    assert states[0][2] == [1.0]


def test_the_last_action_is_what_was_sent_not_what_was_asked(env: RobotEnv) -> None:
    env.reset(**key(0, 0))
    assert env.last_action == [0.0]
    env.step(np.array([1.0], dtype=np.float32))
    env.step(np.array([-1.0], dtype=np.float32))
    assert env.last_action == [0.0]  # 500 N·m/s allow 10 N·m a period


@pytest.mark.parametrize(
    ("robot", "task", "cost"),
    [("cartpole", "balance_unknown_motor", 50.0), ("hopper", None, 15.0), ("a1", "walk", 25.0)],
)
def test_the_step_that_falls_costs_what_it_is_said_to_and_no_other(robot: str, task: str | None, cost: float) -> None:
    falling = RobotEnv(robot, task=task)
    rewards = until_it_falls(falling)
    falling.task = falling.task.model_copy(update={"fall_cost": 0.0})
    free = until_it_falls(falling)
    assert rewards[:-1] == free[:-1]
    assert rewards[-1] == pytest.approx(free[-1] - cost)
    assert min(free) > -1.0
    falling.close()


def until_it_falls(env: RobotEnv) -> list[float]:
    """Reward of each step of an episode that ends by a fall."""
    env.reset(seed=0)
    rewards, fallen = [], False
    while not fallen and len(rewards) < env.horizon:
        action = np.full(len(env.contract.joints), 1.0 if len(rewards) % 20 < 10 else -1.0, dtype=np.float32)
        _, reward, fallen, _, _ = env.step(action)
        rewards.append(reward)
    assert fallen
    return rewards


@pytest.mark.parametrize("robot", ["servo_arm", "hopper", "a1"])
def test_no_fall_is_paid_for(robot: str) -> None:
    task = load_robot(robot)[0].task.task
    with pytest.raises(ConfigError, match="fall_cost"):
        type(task).parse({**task.plain(), "fall_cost": -1.0}, robot)


def test_an_episode_is_cut_at_its_horizon_and_never_terminates(env: RobotEnv) -> None:
    env.reset(seed=0)
    endings = [env.step(action(step))[2:4] for step in range(env.horizon)]
    assert env.horizon == 100
    assert endings == [(False, False)] * 99 + [(False, True)]


def test_the_reward_judges_the_target_the_action_was_given_for(env: RobotEnv) -> None:
    env.reset(seed=0)
    shown = []
    for step in range(55):
        target = float(env.episode.command_signals(step, env.robot.view)["joint_pos_target"][0])
        _, reward, *_ = env.step(np.array([0.125], dtype=np.float32))
        error = env.robot.world.joint_pos[0] - target
        earned = closeness(error, env.task.sharpness) - env.task.effort_weight * 0.125**2
        assert reward == pytest.approx(earned, abs=1e-9)
        shown.append(target)
    assert len(set(shown)) == 2  # the target jumped after one second


def test_a_registered_robot_passes_gymnasium_s_own_check() -> None:
    env = gymnasium.make("robots.registration:simshift/servo_arm-v0", render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_a_picture_shows_the_robot(env: RobotEnv) -> None:
    assert env.render() is None
    env.render_mode = "rgb_array"
    env.reset(seed=0)
    picture = env.render()
    assert picture is not None
    assert picture.shape == (360, 480, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 1


def weakening(**entry: object) -> Randomization:
    draw = {"distribution": "uniform", "low": 0.2, "high": 0.6}
    strength = {"parameter": "motor_strength", "unit": "1", "draw": draw, **entry}
    return Randomization.parse({"parameters": {"weak": strength}})


def test_what_is_drawn_for_each_episode_differs_between_them_and_replays() -> None:
    env = RobotEnv(randomization=weakening(when="episode"))
    env.reset(seed=0)
    drawn = [env.context.params["weak"]]
    for episode in (1, 2, 0):
        env.begin_episode(episode)
        drawn.append(env.context.params["weak"])
        assert env.robot.read("joint", "shoulder", "strength") == drawn[-1]
    assert len(set(drawn)) == 3
    assert drawn[0] == drawn[3]
    env.close()


def test_a_motor_weakens_within_an_episode_and_is_whole_at_the_next() -> None:
    env = RobotEnv(randomization=weakening(when="interval", every=[0.5, 0.7], start=1.0))
    env.reset(seed=0)
    held = []
    for _ in range(env.horizon):
        env.step(np.array([0.5], dtype=np.float32))
        held.append(env.robot.read("joint", "shoulder", "strength"))
        assert env.context.params["weak"] == held[-1]
    changes = [t for t in range(1, len(held)) if held[t] != held[t - 1]]
    assert held[0] == 1.0
    assert 25 <= changes[0] <= 35
    assert all(25 <= b - a <= 36 for a, b in pairwise(changes))
    assert all(0.2 <= value <= 0.6 for value in held[changes[0] :])
    env.begin_episode(1)
    assert env.robot.read("joint", "shoulder", "strength") == 1.0
    env.close()


def test_a_change_is_felt_from_its_moment_on() -> None:
    env = RobotEnv(randomization=weakening(when="interval", every=[0.5, 0.5], start=1.0))
    env.reset(seed=0)
    torques = []
    for _ in range(27):
        env.step(np.array([0.5], dtype=np.float32))
        torques.append(env.robot.bank._motors[0])
    assert torques[:25] == [5.0] * 25
    assert torques[26] == pytest.approx(5.0 * env.context.params["weak"])
    env.close()


def test_an_entry_for_each_name_is_one_parameter_each() -> None:
    each = {
        "parameter": "signal_noise",
        "each": True,
        "unit": "rad",
        "draw": {"distribution": "uniform", "low": 0, "high": 1},
    }
    env = RobotEnv(randomization=Randomization.parse({"parameters": {"noise": each}}))
    _, info = env.reset(seed=0)
    assert len(set(info["params"].values())) == len(env.contract.signals)
    assert info["context"].shape == (len(env.contract.signals),)
    env.close()
