"""Untrained policies and their learners, of the sizes a test asks for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes, algorithm_names, find_algorithm
from sdk.config import PolicyConfig, TrainConfig
from sdk.rl.learner import Learner
from sdk.rl.ppo import PpoConfig


def untrained(algo: str, sizes: Sizes, seed: int = 0, method: dict[str, Any] | None = None, **policy: Any) -> Any:
    """Return an algorithm's policy; `policy` holds settings of its networks, `method` the algorithm's own."""
    torch.manual_seed(seed)
    return find_algorithm(algo).build(sizes, TrainConfig(algo=algo, policy=PolicyConfig(**policy), method=method or {}))


def actor_critics() -> list[str]:
    """Names of the algorithms whose policies PPO improves, step for step or whole trials at once."""
    sizes = Sizes(1, 1, 1, reads_reward=True)
    return [name for name in algorithm_names() if hasattr(untrained(name, sizes), "unroll")]


def with_discrete_actions() -> list[str]:
    """Names of the algorithms that can also choose among discrete actions."""
    return [name for name in algorithm_names() if _builds(name, Sizes(1, 2, 1, reads_reward=True, discrete=True))]


def _builds(algo: str, sizes: Sizes) -> bool:
    try:
        untrained(algo, sizes)
    except ConfigError:
        return False
    return True


def output_layer(policy: nn.Module) -> Any:
    """Return the last layer of the policy's actor, wherever it keeps that; those of experts lie deeper."""
    actors = {name: module for name, module in policy.named_modules() if name.rpartition(".")[2] == "actor"}
    return list(actors[min(actors, key=lambda name: name.count("."))].children())[-1]


def learner_of(algo: str, policy: Any, ppo: PpoConfig | None = None, **method: Any) -> Learner:
    """Return an algorithm's learner for a policy, its own networks small."""
    networks = PolicyConfig(hidden=(32, 32))
    config = TrainConfig(algo=algo, ppo=ppo or PpoConfig(), policy=networks, method=method)
    return find_algorithm(algo).learner(policy, config)
