"""Reptile: weights move towards where a few steps of each task's own learning lead (Nichol et al. 2018).

    for each iteration, for each of N tasks i:
        φ ← θ;  k times: play `rollouts` episodes with φ;  φ ← φ + α ∇ J(φ; these episodes)
    θ ← θ + ε (mean of φᵢ − θ)

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| U^k: k steps of gradient (algorithm 1)          | `sdk.rl.meta_learner.retrace`                        |
| θ + ε mean of (φᵢ − θ) (section 3)              | `towards`, `absorb`                                  |

There is no later batch to answer for: all K + 1 that training plays are learned from. ε falls linearly to 0.

Deviations: the spread of the actions, which does not adapt, stays as it began.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm
from sdk.algos.maml import build
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy, on_policy
from sdk.rl.episodes import batches
from sdk.rl.meta_learner import earned, retrace
from sdk.rl.meta_settings import InnerConfig, played
from sdk.rl.rollout import Rollout


class ReptileConfig(InnerConfig):
    """The keys under `method`."""

    outer_step: float = Field(default=1.0, gt=0, description="share of the way to the tasks' mean, at the start")


def towards(adapted: Tensor, step: float) -> Tensor:
    """Return the change `[P]` of the shared weights for what N tasks changed, `[N, P]`."""
    return step * adapted.mean(0)


@torch.no_grad()
def absorb(actor: nn.Sequential, change: Tensor) -> None:
    """Add what would have been adapted, `[P]`, to the weights of an `AdaptableMlp`."""
    parts = iter(change.split([p.numel() for p in actor.parameters()]))
    for layer in actor:
        if isinstance(layer, nn.Linear):
            layer.weight.add_(next(parts).unflatten(0, (layer.in_features, layer.out_features)).T)
            layer.bias.add_(next(parts))


class Reptile:
    """The outer loop: no gradient passes through adaptation."""

    def __init__(self, policy: AdaptingPolicy, settings: ReptileConfig) -> None:
        self.policy, self.settings = policy, settings

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Move the shared weights towards the adapted ones."""
        of = self.settings
        support = batches(rollout, of.rollouts, of.inner_steps + 1)
        start = self.policy.blank(rollout.reward.shape[1])
        _, adapted = retrace(self.policy, support, start, lambda _: on_policy)
        change = towards(adapted, of.outer_step * (1 - progress))
        absorb(self.policy.actor, change)  # type: ignore[arg-type]
        self.policy.observe(rollout)
        return {**earned(support, adapted), "step": float(change.norm())}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: all that changes are the policy's weights."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over nothing."""


def learner(policy: nn.Module, config: TrainConfig) -> Reptile:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return Reptile(policy, ReptileConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "reptile", "Nichol et al. 2018", "weights near those of every task", True, build, learner, ReptileConfig, played
)
