"""Make a run's monitor: what training worlds look like through its policy, and how rarely they look strange.

A bank of worlds is played with exploration noise, so that their motion can be told apart; then fresh training worlds
without noise, which the bank has not seen, set every threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from domain_rand.schema import Schema
from export.manifest import CarryState, Manifest, MonitorSpec
from export.monitor_graph import add_monitor
from robots.spec import load_robot
from robots.trial import RobotTrials
from sdk.engines.local import collect_in_waves
from sdk.nn.world_bank import LAGS, Gaussian, WorldBank, features, fit_worlds
from sdk.rl.rollout import Carry, Rollout
from sdk.train import load_policy

STREAM = "monitor"
"""Worlds of the training range that no training and no evaluation draws from."""

SETTLED = 20
"""Steps after the start of a trial before its statistics count as typical."""


class MonitorConfig(Schema):
    """How a monitor is made."""

    worlds: int = Field(default=384, ge=8, description="in the bank")
    held_out: int = Field(default=192, ge=8, description="worlds that set the thresholds")
    quantile: float = Field(default=0.995, gt=0.5, lt=1, description="of the largest scores of held-out episodes")
    margin: float = Field(default=1.1, ge=1, description="of the thresholds, above what was seen")
    stop: float = Field(default=1.5, ge=1, description="times the first threshold; there the robot is stopped")
    patience: float = Field(default=1.0, ge=0, description="s above the first threshold before it is stopped anyway")
    memory: int = Field(default=128, ge=0, description="largest memory of a policy that is watched, in numbers")


def monitor_run(folder: Path, bundle: Path, config: MonitorConfig | None = None) -> Manifest:
    """Make a monitor for the policy of a run and write it into the bundle that came from it.

    Raises `ConfigError` for a folder that is no run, `BundleError` for a bundle of another policy.
    """
    torch.set_num_threads(1)
    config = config or MonitorConfig()
    run, policy, _ = load_policy(folder)
    assert run.robot is not None
    spec, _ = load_robot(run.robot, run.task)
    worlds = RobotTrials(run.robot, min(32, config.held_out), seed=run.seed, stream=STREAM, task=run.task)
    try:
        indices = range(config.worlds + config.held_out)
        bank = collect_in_waves(worlds, policy, [*indices[: config.worlds]], run.seed, STREAM)
        fresh = collect_in_waves(worlds, policy, [*indices[config.worlds :]], run.seed, STREAM, explore=False)
    finally:
        worlds.close()
    sensed = sensed_signals(spec)
    states = _states(policy)
    watched = [i for i, state in enumerate(states) if np.prod(state.shape) <= config.memory]
    with torch.no_grad():
        detector = fit_detector(bank, select(spec.contract, sensed))
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


def _states(policy: Any) -> tuple[CarryState, ...]:
    return tuple(policy.carry_spec)


def sensed_signals(spec: Any) -> tuple[str, ...]:
    """Return the names of the signals that the robot's own motion changes: all but the task's commands."""
    commands = spec.task.task.signals(len(spec.contract.joints))
    return tuple(s.name for s in spec.contract.signals if (s.source or s.name) not in commands)


def select(contract: Any, names: tuple[str, ...]) -> Tensor:
    """Return the matrix `[obs, O]` that picks these signals out of an observation."""
    columns = [i for name in names for i in range(contract.obs_size)[contract.signal_slices[name]]]
    return torch.eye(contract.obs_size)[:, columns]


def fit_detector(bank: Rollout, picked: Tensor) -> WorldBank:
    """Fit one linear model for each world of a rollout `[T, N, …]`."""
    seen = bank.obs @ picked
    center, spread = seen.mean((0, 1)), seen.std((0, 1)).clamp(min=1e-6)
    pace = ((bank.final_obs @ picked - seen) / spread).std((0, 1)).clamp(min=1e-6)
    detector = WorldBank(picked, center, spread, pace, bank.last_action.shape[-1])
    obs, live = detector.read(bank.obs), 1 - bank.episode_start
    change = (obs[1:] - obs[:-1]) / pace
    phi = features(obs[:-1], lagged(bank.last_action, bank.episode_start)[1:])
    detector.fill(*fit_worlds(phi, change.clamp(-10, 10), live[1:]))
    return detector


def lagged(action: Tensor, start: Tensor) -> Tensor:
    """Return the last `LAGS` commands before each step, newest first, `[T, N, L·A]`; none from before an episode."""
    rows = [action]
    for _ in range(1, LAGS):
        shifted = torch.cat([rows[-1][:1], rows[-1][:-1]])
        rows.append(torch.where(start > 0.5, action, shifted))
    return torch.cat(rows, -1)


def calibrate(detector: WorldBank, memories: list[Tensor], fresh: Rollout, quantile: float) -> None:
    """Set what is typical, and the unit of each statistic: what an episode exceeds with probability 1 − `quantile`."""
    moments = torch.stack([carry[4] for _, carry in play(detector, fresh, [])])
    detector.bias = Gaussian(moments[SETTLED:].flatten(0, 1))
    if memories:
        detector.memory = Gaussian(torch.cat([m.flatten(2) for m in memories], -1)[SETTLED:].flatten(0, 1))
    raw = statistics(detector, fresh, memories)
    start = fresh.episode_start[..., 0]
    units = [torch.quantile(episode_maxima(column, start), quantile) for column in raw.unbind(-1)]
    detector.units = torch.stack(units).clamp(min=1e-3)


def remembered(policy: Any, rollout: Rollout, watched: list[int]) -> list[Tensor]:
    """Return the policy's watched memories `[T, N, *shape]` after each step of a rollout."""
    carry, rows = policy.initial_carry(rollout.obs.shape[1]), []
    for t in range(len(rollout.obs) if watched else 0):
        given = (rollout.obs[t], rollout.last_action[t], rollout.last_reward[t], rollout.episode_start[t])
        carry = policy.step(*given, carry)[1]
        rows.append([carry[i] for i in watched])
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def statistics(detector: WorldBank, rollout: Rollout, memories: list[Tensor]) -> Tensor:
    """Return the detector's statistics `[T, N, S]` over a rollout."""
    return torch.stack([found for found, _ in play(detector, rollout, memories)])


def play(detector: WorldBank, rollout: Rollout, memories: list[Tensor]) -> Iterator[tuple[Tensor, Carry]]:
    """Yield the statistics `[N, S]` and the detector's carry after each step of a rollout."""
    size = rollout.obs.shape[1]
    carry = tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in detector.carry_spec)
    for t in range(len(rollout.obs)):
        read = tuple(memory[t] for memory in memories)
        seen = (rollout.obs[t], rollout.last_action[t], rollout.episode_start[t])
        found, carry = detector.step(*seen, read, carry)
        yield found, carry


def episode_maxima(scores: Tensor, start: Tensor) -> Tensor:
    """Return the largest score of every episode of `scores` `[T, N]`; `start` is 1 where one begins."""
    episode = (start.cumsum(0) - 1).long().T
    room = torch.full((len(episode), int(episode.max()) + 1), -torch.inf)
    highest = room.scatter_reduce(1, episode, scores.T, "amax")
    return highest[highest > -torch.inf]


def golden_rows(
    rollout: Rollout, memories: list[Tensor], reads: tuple[str, ...], contract: Any
) -> list[dict[str, np.ndarray]]:
    """Return the first trial as inputs of the monitor's graph, commands in the contract's unit."""
    scale, offset = torch.tensor(contract.action.scale), torch.tensor(contract.action.offset)
    columns = {"obs": rollout.obs, "last_action": rollout.last_action * scale + offset}
    columns |= {"episode_start": rollout.episode_start}
    columns |= {f"policy_{name}": memory for name, memory in zip(reads, memories, strict=True)}
    return [{k: v[t, :1].contiguous().numpy() for k, v in columns.items()} for t in range(len(rollout.obs))]
