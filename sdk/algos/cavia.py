"""CAVIA: only a few inputs of the network adapt, its weights are shared (Zintgraf et al. 2019).

    for each trial: φ ← 0
        after each batch of episodes: φ ← φ + α ∇_φ J(θ, φ; these episodes)
        act on the observation and φ
    θ ← TRPO step on Σᵢ J(θ, φᵢ; the later episodes), differentiated through the inner steps

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| context parameters φ beside the input           | `ContextMlp`                                         |
| φᵢ = φ₀ − α ∇_φ L(φ₀, θ) (section 3)            | `sdk.rl.inner_step.gradient_step`                    |
| min_θ Σᵢ L(φᵢ, θ) (section 3)                   | `sdk.rl.meta_learner.MetaLearner`                    |

On a robot the carry is φ: a handful of numbers, where MAML moves thousands.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy, written_out
from sdk.nn.layers import mlp
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, played


class CaviaConfig(MetaConfig):
    """The keys under `method`."""

    context: int = Field(default=2, ge=1, description="numbers that adapt")


class ContextMlp(nn.Sequential):
    """A tanh network that reads what has been adapted beside its input."""

    def __init__(self, sizes: list[int], context: int, last_gain: float) -> None:
        inputs, *others = sizes
        super().__init__(*mlp([inputs + context, *others], last_gain))

    def forward(self, x: Tensor, adapted: Tensor) -> Tensor:  # type: ignore[override]
        """Return the output `[N, T, outputs]` for `x` `[N, T, inputs]` and `adapted` `[N, P]`."""
        return written_out(self, torch.cat([x, adapted[:, None].expand(-1, x.shape[1], -1)], -1))


def build(sizes: Sizes, config: TrainConfig) -> AdaptingPolicy:
    """Build π(a | s, φ)."""
    settings = CaviaConfig.parse(config.method, "method")
    actor = ContextMlp([sizes.obs, *config.policy.hidden, sizes.action], settings.context, config.policy.head_gain)
    return AdaptingPolicy(sizes, config.policy, actor, settings.context, settings.rule())


def learner(policy: nn.Module, config: TrainConfig) -> MetaLearner:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return MetaLearner(policy, CaviaConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "cavia",
    "Zintgraf et al. 2019",
    "a few inputs that adapt, weights that do not",
    True,
    build,
    learner,
    CaviaConfig,
    played,
)
