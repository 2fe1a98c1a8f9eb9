"""Make a run's monitor: what its motion looks like in training worlds, and in worlds that lie outside of them.

Three kinds of world are played with the trained policy, as it plays on the robot, without exploration noise: training
worlds and worlds outside, one parameter at a time, to learn from; and fresh training worlds, which set every threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError, Schema
from domain_rand.splits import out_of_distribution
from export.manifest import CarryState, Manifest, MonitorSpec
from export.monitor_graph import add_monitor
from robots.spec import load_robot
from robots.trial import RobotTrials
from sdk.config import TrainConfig
from sdk.detector import calibrate, episode_maxima, fit_detector, learn, remembered, statistics
from sdk.engines.local import collect_in_waves
from sdk.rl.rollout import Rollout
from sdk.train import load_policy

STREAM = "monitor"
"""Worlds of the training range that no training and no evaluation draws from."""

ROBOTS = 32
"""Simulated at a time."""


class MonitorConfig(Schema):
    """How a monitor is made."""

    worlds: int = Field(default=384, ge=8, description="of training, to learn from")
    outside: int = Field(default=512, ge=8, description="worlds outside of training, over all parameters")
    factor: float = Field(default=10.0, gt=1, description="half-widths of its range that a parameter lies away at most")
    held_out: int = Field(default=320, ge=8, description="worlds of training that set the thresholds")
    quantile: float = Field(default=0.99, gt=0.5, lt=1, description="of the largest scores of held-out episodes")
    margin: float = Field(default=1.2, ge=1, description="of the thresholds, above what was seen")
    stop: float = Field(default=1.5, ge=1, description="times the first threshold; there the robot is stopped")
    patience: float = Field(default=1.0, ge=0, description="s above the first threshold before it is stopped anyway")
    memory: int = Field(default=128, ge=0, description="largest memory of a policy that is watched, in numbers")


def monitor_run(folder: Path, bundle: Path, config: MonitorConfig | None = None) -> Manifest:
    """Make a monitor for the policy of a run and write it into the bundle that came from it.

    Raises `ConfigError` for a folder that is no run, or where no parameter has room outside of training; `BundleError`
    for a bundle of another policy.
    """
    torch.set_num_threads(1)
    config = config or MonitorConfig()
    run, policy, _ = load_policy(folder)
    assert run.robot is not None
    spec, randomization = load_robot(run.robot, run.task)
    inside = _played(run, policy, range(config.worlds))
    fresh = _played(run, policy, range(config.worlds, config.worlds + config.held_out))
    outside = Rollout.join([*_outside(run, policy, randomization, config)])
    sensed = sensed_signals(spec)
    states: tuple[CarryState, ...] = tuple(policy.carry_spec)  # type: ignore[arg-type]
    watched = [i for i, state in enumerate(states) if np.prod(state.shape) <= config.memory]
    detector = fit_detector(inside, select(spec.contract, sensed))
    learn(detector, inside, outside, run.seed)
    with torch.no_grad():
        memories = remembered(policy, fresh, watched)
        calibrate(detector, memories, fresh, config.quantile)
        scores = statistics(detector, fresh, memories).amax(-1)
    highest = episode_maxima(scores, fresh.episode_start[..., 0])
    fall_back = float(torch.quantile(highest, config.quantile)) * config.margin
    dt = spec.contract.control_dt
    made = MonitorSpec(
        signals=sensed,
        reads=tuple(states[i].name for i in watched),
        statistics=detector.statistics,
        smoothing=tuple(steps * dt for steps in detector.smoothing),
        carry=detector.carry_spec,
        fall_back=fall_back,
        stop=fall_back * config.stop,
        patience=config.patience,
        false_alarms=float((highest > fall_back).float().mean()),
        episodes=len(highest),
        seed=run.seed,
    )
    return add_monitor(bundle, detector, made, golden_rows(fresh, memories, made.reads, spec.contract))


def _played(run: TrainConfig, policy: Any, indices: range, worlds: Randomization | None = None) -> Rollout:
    """Play one trial of each world of `indices`, drawn from `worlds` or, without, as in training."""
    assert run.robot is not None
    size = min(ROBOTS, len(indices))
    trials = RobotTrials(run.robot, size, seed=run.seed, stream=STREAM, randomization=worlds, task=run.task)
    try:
        return collect_in_waves(trials, policy, [*indices], run.seed, STREAM, explore=False)
    finally:
        trials.close()


def _outside(run: TrainConfig, policy: Any, randomization: Randomization, config: MonitorConfig) -> Iterator[Rollout]:
    """Play worlds of which one parameter lies outside of training, each parameter in turn."""
    names = outside_names(randomization)
    share = -(-config.outside // len(names))
    for number, name in enumerate(names):
        start = config.worlds + config.held_out + number * share
        for nearer in range(4):
            worlds = out_of_distribution(randomization, 1 + (config.factor - 1) / 2**nearer, [name])
            try:
                yield _played(run, policy, range(start, start + share), worlds)
                break
            except ValueError:  # beyond what this robot's physics allows
                continue


def outside_names(randomization: Randomization) -> tuple[str, ...]:
    """Return the parameters that have room outside of training; raises `ConfigError` where none has."""
    names = tuple(name for name in randomization.names if _has_room(randomization, name))
    if not names:
        raise ConfigError("no parameter of this robot has room outside of training; a monitor has nothing to learn")
    return names


def _has_room(randomization: Randomization, name: str) -> bool:
    try:
        out_of_distribution(randomization, names=[name])
    except ConfigError:
        return False
    return True


def sensed_signals(spec: Any) -> tuple[str, ...]:
    """Return the names of the signals that the robot's own motion changes: all but the task's commands."""
    commands = spec.task.task.signals(len(spec.contract.joints))
    return tuple(s.name for s in spec.contract.signals if s.measures not in commands)


def select(contract: Any, names: tuple[str, ...]) -> Tensor:
    """Return the matrix `[obs, O]` that picks these signals out of an observation."""
    columns = [i for name in names for i in range(contract.obs_size)[contract.signal_slices[name]]]
    return torch.eye(contract.obs_size)[:, columns]


def golden_rows(
    rollout: Rollout, memories: list[Tensor], reads: tuple[str, ...], contract: Any
) -> list[dict[str, np.ndarray]]:
    """Return the first trial as inputs of the monitor's graph, commands in the contract's unit."""
    scale, offset = torch.tensor(contract.action.scale), torch.tensor(contract.action.offset)
    columns = {"obs": rollout.obs, "last_action": rollout.last_action * scale + offset}
    columns |= {"episode_start": rollout.episode_start}
    columns |= {f"policy_{name}": memory for name, memory in zip(reads, memories, strict=True)}
    return [{k: v[t, :1].contiguous().numpy() for k, v in columns.items()} for t in range(len(rollout.obs))]
