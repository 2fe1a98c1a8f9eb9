"""Meta Network: a recurrent network reads a few transitions and writes part of the policy's weights (Munkhdalai 2017).

    for each trial: Δ ← 0, the shared weights as they are
        after the first batch of episodes: Δ ← W h, h the encoder's memory after their first `steps` control periods
        after each batch, where asked to: Δ ← Δ + α ∇ J(θ + Δ; these episodes)
    (θ, W, encoder) ← TRPO step on Σᵢ J(θ + Δᵢ; the later episodes), through all of it

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| fast weights from meta information (section 3)  | `MetaNetworkPolicy.jumped`                           |
| the recurrence                                  | `sdk.nn.episode_encoder.gated_sum`                   |
| hypernetwork, at first a bias alone             | `sdk.nn.episode_encoder.EpisodeEncoder`: `last`      |

The hypernetwork's bias are the shared weights, and its matrix begins at 0 (Beck et al. 2022): the policy begins as the
one without it.

Deviations: in the paper losses' gradients are the meta information and a memory is searched by content; here rewards
and motion are, and a recurrence replaces the memory. It writes the output layer, within ±`reach`; `gradient_steps` says
whether steps down the gradient follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm, Sizes
from sdk.nn.adapting import AdaptableMlp
from sdk.nn.conditioned import ConditionedPolicy
from sdk.nn.episode_encoder import EpisodeEncoder, transition_size
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, played

if TYPE_CHECKING:
    from sdk.config import TrainConfig


class MetaNetworkConfig(MetaConfig):
    """The keys under `method`."""

    encoder: int = Field(default=64, ge=1, description="units of the encoder of episodes")
    steps: int | None = Field(default=None, ge=1, description="control periods that it reads; none: the whole batch")
    reach: float = Field(default=2.0, gt=0, description="largest change of a weight that is written")
    gradient_steps: bool = Field(default=True, description="steps down the gradient follow what is written")


class MetaNetworkPolicy(ConditionedPolicy):
    """An adapting policy whose output layer the first transitions write."""

    def __init__(self, sizes: Sizes, config: TrainConfig, settings: MetaNetworkConfig) -> None:
        actor = AdaptableMlp([sizes.obs, *config.policy.hidden, sizes.action], config.policy.head_gain)
        super().__init__(sizes, config.policy, actor, actor.adapted, settings.rule())
        self.by_gradient, self.reach = actor.adapted, settings.reach
        self.jumps = sum(p.numel() for p in actor[-1].parameters())
        self.steps_down = settings.gradient_steps
        inputs = transition_size(sizes.obs, sizes.action)
        self.encoder = EpisodeEncoder(inputs, settings.encoder, self.jumps, settings.steps)

    @property
    def step_size(self) -> float:
        """Length of a step for a gradient of norm 1; 0 where only what is written counts."""
        return self.rule.lr if self.steps_down else 0.0

    def jumped(self, told: Tensor) -> Tensor:
        """Return the change of all weights: none but of the last layer, `AdaptableMlp`'s last numbers."""
        return torch.cat([torch.zeros(len(told), self.by_gradient - self.jumps), told], -1)


def build(sizes: Sizes, config: TrainConfig) -> MetaNetworkPolicy:
    """Build π(a | s) whose output layer is written by what the first transitions tell."""
    return MetaNetworkPolicy(sizes, config, MetaNetworkConfig.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> MetaLearner:
    """Return the outer loop."""
    assert isinstance(policy, MetaNetworkPolicy)
    return MetaLearner(policy, MetaNetworkConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "meta_network",
    "Munkhdalai and Yu 2017",
    "part of the weights written by what the first transitions tell",
    True,
    build,
    learner,
    MetaNetworkConfig,
    played,
)
