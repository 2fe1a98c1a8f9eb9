"""Every robot is a Gymnasium environment like any other: checked, vectorised, recorded, and learned from unmodified."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.wrappers import RecordVideo

from robots.robot_env import RobotEnv
from robots.spec import robot_names

ROBOTS = robot_names()
QUICK = ("cartpole", "servo_arm")
"""Robots on which even the fast tests let another library learn."""


def make(robot: str, **options: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(f"robots.registration:simshift/{robot}-v0", **options)


@pytest.mark.parametrize("robot", ROBOTS)
def test_gymnasium_s_own_check_has_nothing_to_say(robot: str) -> None:
    env = make(robot, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=False)
    env.close()


@pytest.mark.parametrize("robot", ROBOTS)
def test_one_process_holds_several(robot: str) -> None:
    envs = SyncVectorEnv([lambda: RobotEnv(robot)] * 2)
    check_vector(envs)
    envs.close()


@pytest.mark.parametrize("robot", ROBOTS)
def test_processes_of_their_own_give_the_same_as_one(robot: str) -> None:
    apart = AsyncVectorEnv([lambda: RobotEnv(robot)] * 2, context="spawn" if robot in QUICK else "fork")
    together = SyncVectorEnv([lambda: RobotEnv(robot)] * 2)
    try:
        assert all(np.array_equal(a, b) for a, b in zip(check_vector(apart), check_vector(together), strict=True))
    finally:
        apart.close()
        together.close()


def check_vector(envs: gymnasium.vector.VectorEnv[Any, Any, Any]) -> list[np.ndarray]:
    """Play a few steps; returns everything observed."""
    observation, _ = envs.reset(seed=[3, 4])
    assert envs.observation_space.contains(observation)
    assert not np.array_equal(observation[0], observation[1])
    seen = [observation]
    rng = np.random.default_rng(0)
    for _ in range(5):
        shape = envs.action_space.shape
        assert shape is not None
        observation, reward, terminated, truncated, _ = envs.step(rng.uniform(-1, 1, shape).astype(np.float32))
        assert envs.observation_space.contains(observation)
        assert reward.shape == terminated.shape == truncated.shape == (2,)
        seen += [observation, reward]
    return seen


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_video_can_be_recorded(robot: str, tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        env = RecordVideo(
            make(robot, render_mode="rgb_array"),
            str(tmp_path / "videos"),
            video_length=4,
            step_trigger=lambda s: s == 0,
        )
        env.reset(seed=0)
        for _ in range(5):
            env.step(env.action_space.sample())
        env.close()
    (video,) = (tmp_path / "videos").glob("*.mp4")
    assert video.stat().st_size > 500


@pytest.mark.parametrize(
    "robot", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ROBOTS]
)
def test_stable_baselines_learns_on_it_unmodified(robot: str) -> None:
    baselines = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_checker import check_env as baselines_check

    env = make(robot)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")
        baselines_check(env)
    learner = baselines.PPO("MlpPolicy", env, n_steps=64, batch_size=64, n_epochs=2, seed=0, device="cpu")
    before = [parameter.detach().clone() for parameter in learner.policy.parameters()]
    learner.learn(256)
    changed = [float((a.detach() - b).abs().max()) for a, b in zip(learner.policy.parameters(), before, strict=True)]
    assert learner.num_timesteps == 256
    assert np.isfinite(changed).all()
    assert max(changed) > 0
    env.close()
