"""Collection in worker processes: each holds its robots and a copy of the policy, and sends back whole trials.

A worker hears from the learner once an iteration and is silent in between. Which worker plays which world follows from
the number of workers alone, so equal seeds and equal worker counts give equal numbers.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch import nn

from domain_rand.schema import ConfigError
from robots.robot_env import EnvSettings
from robots.simulated import Effect
from robots.trial import RobotTrials, TrialWorlds, WorldShape
from sdk.algos.base import Sizes, find_algorithm
from sdk.config import TrainConfig
from sdk.offdynamics.dynamics import changed_dynamics
from sdk.rl.rollout import Rollout, collect
from sdk.toys.base import make_toy


class WorkerError(RuntimeError):
    """A worker process failed or vanished; the message carries what it said."""


def make_worlds(
    config: TrainConfig, *, size: int, seed: int, stream: str = "train", effect: Effect | None = None
) -> TrialWorlds:
    """Build `size` of the run's worlds, robots or toys. Raises `ConfigError` for an effect that a toy cannot have."""
    if config.robot is not None:
        repeat = config.worlds if stream == "train" else None
        settings: EnvSettings = {"stream": stream, "task": config.task, **changed_dynamics(config, effect)}
        return RobotTrials(config.robot, size, seed=seed, worlds=repeat, **settings)
    assert config.toy is not None
    if effect is not None:
        raise ConfigError(f"effect: the toy '{config.toy.name}' has no physics to disturb; valid: none")
    few = {"tasks": config.worlds} if config.worlds and stream == "train" else {}
    return make_toy(config.toy.name, {**config.toy.settings, **few}, size=size, seed=seed, stream=stream)


def build_policy(config: TrainConfig, shape: WorldShape) -> nn.Module:
    """Build an untrained policy for worlds of this shape, from the run's seed."""
    torch.manual_seed(config.seed)
    sizes = Sizes(shape.obs_size, shape.action_size, shape.context_size, shape.reads_reward, shape.discrete)
    return find_algorithm(config.algo).build(sizes, config)


def collect_in_waves(
    worlds: TrialWorlds,
    policy: Any,
    indices: list[int],
    seed: int,
    stream: str,
    explore: bool = True,
    steps: int | None = None,
) -> Rollout:
    """Play one trial of each world in `indices`, or its first `steps`, as many at a time as there are robots."""
    waves = [indices[i : i + worlds.size] for i in range(0, len(indices), worlds.size)]
    settings = {"seed": seed, "stream": stream, "explore": explore, "steps": steps}
    return Rollout.join([collect(worlds, policy, wave, **settings) for wave in waves])  # type: ignore[arg-type]


def collect_for_training(config: TrainConfig, worlds: TrialWorlds, policy: Any, indices: list[int]) -> Rollout:
    """Play what a run's algorithm learns from: one trial of each world in `indices`, as much of it as it asks for."""
    steps = find_algorithm(config.algo).played(config, worlds)
    return collect_in_waves(worlds, policy, indices, config.seed, "train", steps=steps)


class LocalEngine:
    """Collects rollouts with `config.workers` processes, or in this one when that is 0."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._here = _own_worlds(config) if config.workers == 0 else None
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for rank in range(min(config.workers, config.trials)):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, config), daemon=True, name=f"worker {rank}")
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def collect(self, policy: nn.Module, iteration: int) -> Rollout:
        """Return the rollout of one iteration: `trials` new worlds. Raises `WorkerError` when a worker is lost."""
        config = self._config
        indices = np.arange(config.trials) + iteration * config.trials
        if self._here is not None:
            return collect_for_training(config, self._here, policy, indices.tolist())
        weights = {name: tensor.numpy() for name, tensor in policy.state_dict().items()}
        for rank, part in enumerate(np.array_split(indices, len(self._pipes))):
            self._send(rank, (weights, part.tolist()))
        return Rollout.join([self._receive(rank) for rank in range(len(self._pipes))])

    def close(self) -> None:
        """End all workers."""
        for process in self._processes:
            process.kill()
            process.join()
        if self._here is not None:
            self._here.close()

    def _send(self, rank: int, message: Any) -> None:
        try:
            self._pipes[rank].send(message)
        except OSError:
            raise self._lost(rank) from None

    def _receive(self, rank: int) -> Rollout:
        try:
            answer = self._pipes[rank].recv()
        except (EOFError, OSError):
            raise self._lost(rank) from None
        if isinstance(answer, str):
            raise WorkerError(f"{self._processes[rank].name} failed: {answer}")
        return Rollout(**{name: torch.from_numpy(array) for name, array in answer.items()})

    def _lost(self, rank: int) -> WorkerError:
        process = self._processes[rank]
        process.join(timeout=1)
        return WorkerError(f"{process.name} is gone (exit code {process.exitcode}); continue the run with --resume")


def _own_worlds(config: TrainConfig) -> TrialWorlds:
    return make_worlds(config, size=config.side_by_side, seed=config.seed)


def _work(pipe: Connection, config: TrainConfig) -> None:
    torch.set_num_threads(1)
    try:
        worlds = _own_worlds(config)
        policy = build_policy(config, worlds)
        while True:
            weights, indices = pipe.recv()
            policy.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
            rollout = collect_for_training(config, worlds, policy, indices)
            pipe.send({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in vars(rollout).items()})
    except (EOFError, BrokenPipeError, KeyboardInterrupt):  # the learner is gone
        return
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
