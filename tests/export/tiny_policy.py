"""Small untrained policies, a contract-true world and a ready bundle for the export tests."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from domain_rand.randomizer import Randomization
from export.bundle import Bundle, read_bundle
from export.manifest import CarryState, EvaluationRow
from export.writer import export_policy
from robots.contract import Contract
from robots.spec import load_robot

HIDDEN = 16
CREATED = datetime.date(2026, 11, 21)


def servo_arm() -> tuple[Contract, Randomization]:
    spec, randomization = load_robot("servo_arm")
    return spec.contract, randomization


class TinyGru(nn.Module):
    """A GRU policy with a normaliser whose statistics are far from (0, 1)."""

    inputs: tuple[str, ...] = ("obs", "last_action", "episode_start")
    mean: Tensor
    std: Tensor

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.cell = nn.GRUCell(5, HIDDEN)
        self.head = nn.Linear(HIDDEN, 1)
        self.register_buffer("mean", torch.tensor([0.3, -1.0, 0.2]))
        self.register_buffer("std", torch.tensor([0.7, 6.0, 0.8]))
        self.carry_spec: tuple[CarryState, ...] = (CarryState(name="memory", shape=(HIDDEN,), initial=0.1),)

    def normalise(self, obs: Tensor) -> Tensor:
        return (obs - self.mean) / self.std

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        memory = self.cell(torch.cat([self.normalise(obs), last_action, episode_start], 1), carry[0])
        return 1.5 * self.head(memory), (memory,)


class NoNormaliser(TinyGru):
    """The classic deployment bug: same weights, observations not normalised."""

    def normalise(self, obs: Tensor) -> Tensor:
        return obs


class EpisodicGru(TinyGru):
    """Memory that does not outlive an episode, beside one that counts through the trial."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.carry_spec = (
            CarryState(name="memory", shape=(HIDDEN,), initial=0.1, reset="episode"),
            CarryState(name="count", shape=(2, 1), initial=(1.0, 2.0)),
        )

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        mean, (memory,) = super().step(obs, last_action, last_reward, episode_start, carry[:1])
        return mean, (memory, carry[1] + 1.0)


class Memoryless(nn.Module):
    """Reads the observation and nothing else."""

    inputs: tuple[str, ...] = ("obs",)
    carry_spec: tuple[CarryState, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def step(self, obs: Tensor, *others: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.net(obs), ()


def export_tiny(destination: Path, policy: nn.Module | None = None, **changes: Any) -> Path:
    contract, randomization = servo_arm()
    settings: dict[str, Any] = {
        "algorithm": "rl2",
        "seeds": (0, 1),
        "provenance": {"steps": 1000, "commit": "abc1234", "config": {"lr": 3e-4}},
        "evaluation": (EvaluationRow(name="success", value=0.5, ci95=(0.4, 0.6), unit="1"),),
        "created": CREATED,
        "min_steps": 1,  # two trials: 600 steps
    } | changes
    export_policy(policy or TinyGru(), contract, randomization, destination, **settings)
    return destination


def tiny_bundle(destination: Path, policy: nn.Module | None = None) -> Bundle:
    return read_bundle(export_tiny(destination, policy))
