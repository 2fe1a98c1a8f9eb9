"""The training loop: collect, update, record, checkpoint. What is learned is the algorithm's affair."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from robots.trial import WorldShape
from sdk.algos.base import find_algorithm
from sdk.checkpoint import RunFolder
from sdk.config import TrainConfig
from sdk.engines.local import LocalEngine, build_policy, make_worlds
from sdk.offdynamics.corrected import corrected
from sdk.rl.learner import Experienced, Learner
from sdk.rl.rollout import Rollout
from sdk.warm_start import take_over


@dataclass(frozen=True)
class Progress:
    """Where a run stands, after each iteration."""

    steps: int
    total_steps: int
    steps_per_second: float
    metrics: dict[str, float]


Report = Callable[[Progress], None]


def world_shape(config: TrainConfig) -> WorldShape:
    """Return what policies and schedules of a run are built from, read off one of its worlds.

    Raises `ConfigError` for a robot, task or toy that does not exist or does not load.
    """
    worlds = make_worlds(config, size=1, seed=config.seed)
    worlds.close()
    return worlds


def steps_each(config: TrainConfig, shape: WorldShape) -> int:
    """Return the control steps of an iteration."""
    return config.trials * find_algorithm(config.algo).played(config, shape)


def iterations(config: TrainConfig, shape: WorldShape) -> int:
    """Return the number of iterations that the budget of steps comes to, the last one whole."""
    return -(-config.steps // steps_each(config, shape))


def train(config: TrainConfig, folder: Path, *, resume: bool = False, report: Report | None = None) -> nn.Module:
    """Train to the end of the budget and return the policy.

    With `resume`, go on from the folder's last checkpoint; the numbers are those of an uninterrupted run. Raises
    `ConfigError` for a bad configuration or folder, `WorkerError` when a worker process is lost.
    """
    torch.set_num_threads(1)
    shape = world_shape(config)
    policy = build_policy(config, shape)
    learner = find_algorithm(config.algo).learner(policy, config)
    if config.reward_correction is not None:
        learner = corrected(learner, config, config.reward_correction, shape)
    run = RunFolder(folder) if resume else RunFolder.create(folder, config)
    if config.start_from is not None and not run.has_checkpoint:
        take_over(learner, Path(config.start_from))
    first = _restore(run, learner) if resume else 0
    total = iterations(config, shape)
    engine = LocalEngine(config)
    try:
        _iterate(run, learner, engine, range(first, total), report or (lambda progress: None))
    finally:
        engine.close()
    return policy


def _iterate(run: RunFolder, learner: Learner, engine: LocalEngine, iterations: range, report: Report) -> None:
    writer, start = _tensorboard(run.path), time.monotonic()
    for iteration in iterations:
        rollout = engine.collect(learner.policy, iteration)
        played = rollout.reward.numel()
        statistics = learner.update(rollout, iteration, iteration / iterations.stop)
        row = {"iteration": iteration, "steps": (iteration + 1) * played, **outcome(rollout), **statistics}
        run.append_metrics(row)
        _keep(run, learner, rollout, iteration)
        for name, value in row.items():
            writer.add_scalar(name, value, row["steps"])
        rate = (iteration + 1 - iterations.start) * played / (time.monotonic() - start)
        report(Progress(int(row["steps"]), iterations.stop * played, rate, row))
    writer.close()


def outcome(rollout: Rollout) -> dict[str, float]:
    """Return the mean return of a trial and the share of steps on target, exploration included."""
    return {"return": float(rollout.reward.sum(0).mean()), "success": float(rollout.success.mean())}


def load_policy(folder: Path) -> tuple[TrainConfig, nn.Module, int]:
    """Return a run's configuration, its policy at the last checkpoint, and the control steps it had seen."""
    run = RunFolder(folder)
    config, state = run.config(), run.load()
    shape = world_shape(config)
    policy = build_policy(config, shape)
    policy.load_state_dict(state["policy"])
    return config, policy.eval(), state["iteration"] * steps_each(config, shape)


def _keep(run: RunFolder, learner: Learner, rollout: Rollout, iteration: int) -> None:
    """Save a checkpoint; what was played is written first, and deleted last."""
    remembers = learner.remembers if isinstance(learner, Experienced) else 0
    if remembers:
        run.keep_played(iteration, vars(rollout))
    run.save(_snapshot(learner, iteration + 1, remembers))
    run.forget_played_before(iteration + 1 - remembers)


def _snapshot(learner: Learner, iteration: int, remembers: int) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "remembers": remembers,
        "policy": learner.policy.state_dict(),
        "learner": learner.state_dict(),
        "torch_rng": torch.get_rng_state(),
    }


def _restore(run: RunFolder, learner: Learner) -> int:
    """Return the first iteration to play: the one after the last checkpoint, 0 when there is none yet."""
    if not run.has_checkpoint:
        run.keep_metrics_before(0)
        return 0
    state = run.load()
    learner.policy.load_state_dict(state["policy"])
    learner.load_state_dict(state["learner"])
    torch.set_rng_state(state["torch_rng"])
    iteration = int(state["iteration"])
    if isinstance(learner, Experienced):
        for played in range(iteration - int(state["remembers"]), iteration):
            learner.remember(Rollout(**run.played(played)))
    run.keep_metrics_before(iteration)
    return iteration


def _tensorboard(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
