"""What a file in this folder must provide, and how it is found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain_rand.schema import ConfigError, Schema, nearest

if TYPE_CHECKING:
    from torch import nn

    from robots.trial import WorldShape
    from sdk.config import PolicyConfig, TrainConfig
    from sdk.rl.learner import Learner


@dataclass(frozen=True)
class Sizes:
    """The numbers a policy is built from."""

    obs: int
    action: int
    context: int
    reads_reward: bool
    discrete: bool = False

    @property
    def step_inputs(self) -> int:
        """Numbers that a policy with memory reads at a step: observation, last action, last reward, episode start."""
        return self.obs + self.action + self.reads_reward + 1

    def need_context(self, algo: str, what_for: str) -> None:
        """Raise `ConfigError` where no context is hidden."""
        if self.context == 0:
            raise ConfigError(f"{algo}: nothing is hidden here that {what_for}; train 'robust'")

    def log_std(self, config: PolicyConfig) -> float | None:
        """Return the initial log spread of the actions; none where they are discrete."""
        return None if self.discrete else config.log_std


class NoSettings(Schema):
    """An algorithm without settings of its own."""


def whole_trial(config: TrainConfig, shape: WorldShape) -> int:
    """Return the control steps of a trial."""
    return shape.trial_steps


@dataclass(frozen=True)
class Algorithm:
    """One way to learn and adapt; every file here but this one ends in `ALGORITHM = Algorithm(…)`.

    `build` makes the untrained policy, `learner` what improves it. A policy that is not `deployable` reads what no
    robot can sense. `settings` are the keys under `method` in a configuration: the paper's own, beside those of the
    base learner and the networks. `played` is the number of control steps of a trial that training plays.
    """

    name: str
    paper: str
    summary: str
    deployable: bool
    build: Callable[[Sizes, TrainConfig], nn.Module]
    learner: Callable[[nn.Module, TrainConfig], Learner]
    settings: type[Schema] = NoSettings
    played: Callable[[TrainConfig, WorldShape], int] = whole_trial


def algorithm_names() -> list[str]:
    """Names of all algorithms: the files of this folder."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name != "base")


def find_algorithm(name: str) -> Algorithm:
    """Import one algorithm; raises `ConfigError` naming the nearest one."""
    if name not in algorithm_names():
        raise ConfigError(f"unknown algorithm '{name}'; {nearest(name, algorithm_names())}")
    algorithm: Algorithm = importlib.import_module(f"sdk.algos.{name}").ALGORITHM
    return algorithm
