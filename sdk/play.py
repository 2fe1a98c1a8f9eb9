"""Film a robot: play it with a policy or at random, and draw each picture with what it was told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageDraw

from domain_rand.schema import ConfigError
from export.runtime.policy import Policy
from robots.robot_env import RobotEnv
from robots.spec import load_robot

FPS = 20
"""Pictures a second, at most."""

STREAM = "held_out"


class Player(Protocol):
    """Whatever tells the robot what to do: a command [contract unit] for what is observed."""

    def __call__(
        self, env: RobotEnv, observation: np.ndarray, reward: float, episode_start: bool
    ) -> Sequence[float]: ...


def random_player(seed: int) -> Player:
    """Return a player whose actions wander through the whole range, a new goal every half second."""
    rng = np.random.default_rng(seed)
    state: dict[str, np.ndarray] = {}

    def play(env: RobotEnv, observation: np.ndarray, reward: float, episode_start: bool) -> Sequence[float]:
        share = env.contract.control_dt / 0.5
        action = state.get("action", np.zeros(len(env.contract.joints)))
        if "goal" not in state or rng.random() < share:
            state["goal"] = rng.uniform(-1, 1, action.shape)
        state["action"] = action + 5 * share * np.clip(state["goal"] - action, -0.2, 0.2)
        return _command(env, state["action"])

    return play


def bundle_player(path: Path) -> Player:
    """Return an exported policy as the robot runs it; raises `BundleError`."""
    policy = Policy.load(path)

    def play(env: RobotEnv, observation: np.ndarray, reward: float, episode_start: bool) -> Sequence[float]:
        if policy.contract.fingerprint != env.contract.fingerprint:
            raise ConfigError(f"{path} is for another contract than that of {env.contract.robot}")
        values = observation.tolist()
        signals = {name: values[where] for name, where in env.contract.signal_slices.items()}
        needed = reward if env.contract.needs_reward else None
        return list(policy.step(signals, episode_start=episode_start, last_reward=needed).values())

    return play


def run_player(folder: Path) -> Player:
    """Return a training run's policy at its last checkpoint, without exploration; raises `ConfigError`."""
    import torch

    from sdk.rl.distributions import distribution
    from sdk.train import load_policy

    policy: Any = load_policy(folder)[1]
    state: dict[str, Any] = {}

    @torch.no_grad()
    def play(env: RobotEnv, observation: np.ndarray, reward: float, episode_start: bool) -> Sequence[float]:
        if not state:
            policy.bind_context(torch.tensor(env.context.normalized)[None])
            state["carry"] = policy.initial_carry(1)
        flag, last = torch.full((1, 1), float(episode_start)), torch.tensor([env.last_action], dtype=torch.float32)
        inputs = (torch.from_numpy(observation)[None], last, torch.full((1, 1), reward), flag)
        head, state["carry"] = policy.step(*inputs, state["carry"])
        action = distribution(head, policy.log_std).sample(torch.zeros_like(last))[0]
        return _command(env, action[0].numpy())

    return play


def task_of_run(folder: Path) -> str | None:
    """Return the task a run was trained for; None: its robot's default one. Raises `ConfigError`."""
    from sdk.checkpoint import RunFolder

    return RunFolder(folder).config().task


def frame_count(robot: str, task: str | None, seconds: float) -> int:
    """Return the number of pictures in a film; raises `ConfigError` as `load_robot`."""
    return ceil(seconds / _picture_dt(load_robot(robot, task)[0].contract.control_dt))


def film(
    robot: str,
    player: Player,
    to: Path,
    *,
    seconds: float,
    task: str | None = None,
    seed: int = 0,
    width: int = 360,
    report: Callable[[int], None] = lambda taken: None,
) -> dict[str, Any]:
    """Write a GIF of one held-out world, episode after episode; returns what was seen.

    Raises `ConfigError` for another kind of file.
    """
    if to.suffix.lower() != ".gif":
        raise ConfigError(f"{to}: ends in '{to.suffix}'; valid: .gif")
    env = RobotEnv(robot, stream=STREAM, task=task)
    try:
        pictures, total = _play(env, player, frame_count(robot, task, seconds), seed, width, report)
    finally:
        env.close()
    milliseconds = round(1000 * _picture_dt(env.contract.control_dt) / 10) * 10  # GIF counts in hundredths
    to.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = pictures
    first.save(to, save_all=True, append_images=rest, duration=milliseconds, loop=0, format="GIF")
    return {"film": str(to), "frames": len(pictures), "return": total, "params": env.context.params}


def _picture_dt(control_dt: float) -> float:
    """Time between pictures [s]: whole control periods."""
    return control_dt * max(1, round(1 / (FPS * control_dt)))


def _play(
    env: RobotEnv, player: Player, frames: int, seed: int, width: int, report: Callable[[int], None]
) -> tuple[list[Image.Image], float]:
    observation, _ = env.reset(seed=seed)
    reward, total, episode, start = 0.0, 0.0, 0, True
    steps = round(_picture_dt(env.contract.control_dt) / env.contract.control_dt)
    pictures = []
    for taken in range(frames):
        pictures.append(_picture(env, width, episode, total))
        for _ in range(steps):
            observation, reward, terminated, truncated, _ = env.step_command(player(env, observation, reward, start))
            total, start = total + reward, terminated or truncated
            if start:
                episode += 1
                observation = env.begin_episode(episode)
        report(taken + 1)
    return pictures, total


def _picture(env: RobotEnv, width: int, episode: int, total: float) -> Image.Image:
    pixels = np.asarray(env.robot.world.image(width, width * 3 // 4), dtype=np.uint8)[..., :3]
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(picture)
    for line, text in enumerate(_captions(env, episode, total)):
        draw.text((6, 4 + 12 * line), text, fill=(20, 20, 20))
    return picture.quantize(64)


def _captions(env: RobotEnv, episode: int, total: float) -> list[str]:
    """What is drawn over a picture: time, return, and each command beside what it is about, if that is known."""
    view = env.robot.view
    lines = [f"episode {episode + 1}   {view.time:5.2f} s   return {total:.1f}"]
    for name, value in env.episode.command_signals(env.step_count, view).items():
        lines.append(f"{name} {_numbers(value)}")
        if name.startswith("joint_pos"):
            lines.append(f"{'joint_pos':{len(name)}} {_numbers(view.joint_pos)}")
        elif name.startswith("velocity"):
            moving = (*view.base_lin_vel_body[:2], view.base_ang_vel_body[2])
            lines.append(f"{'is':{len(name)}} {_numbers(moving)}")
    return lines


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:+.2f}" for value in values[:6]) + (" …" if len(values) > 6 else "")


def _command(env: RobotEnv, action: np.ndarray) -> list[float]:
    """Make a command [contract unit] of a normalised action."""
    pairs = zip(env.contract.action.offset, env.contract.action.scale, np.clip(action, -1, 1).tolist(), strict=True)
    return [offset + scale * a for offset, scale, a in pairs]
