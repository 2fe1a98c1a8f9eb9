"""MMAML: what a task's first episodes tell modulates the initial weights; then gradient steps (Vuorio et al. 2019).

    for each trial: φ ← 0, layers as they are
        after the first batch of episodes: τ ← encoder(these episodes);  hidden layer h becomes h ∘ (1 + τ_γ) + τ_β
        after each batch: θᵢ ← θᵢ + α ∇ J(θᵢ, τ; these episodes)
    (θ, encoder) ← TRPO step on Σᵢ J(θᵢ, τᵢ; the later episodes), through the inner steps

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| υ = h({x, y}), τ = g(υ) (eq. 1)                 | `sdk.nn.episode_encoder.EpisodeEncoder`              |
| φ = θ ⊙ τ, FiLM (section 4.1)                   | `ModulatedMlp`                                       |
| gradient steps from φ (algorithm 1)             | `sdk.nn.conditioned.ConditionedPolicy.adapted_by`    |

One network for tasks of several kinds: a gradient step refines, it does not change from one kind to another.

Deviations: the first step already follows the gradient at the modulated weights, on the episodes played before that,
each action weighed by how likely it would still be; the paper plays again in between. The encoder's recurrence is gated
and linear, so that it is part of the graph for any number of steps. Modulation is within ±`reach`, and none at first:
MAML, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm, Sizes
from sdk.nn.adapting import AdaptableMlp, changed
from sdk.nn.conditioned import ConditionedPolicy
from sdk.nn.episode_encoder import EpisodeEncoder, transition_size
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, played

if TYPE_CHECKING:
    from sdk.config import TrainConfig


class MmamlConfig(MetaConfig):
    """The keys under `method`."""

    encoder: int = Field(default=64, ge=1, description="units of the encoder of episodes")
    reach: float = Field(default=2.0, gt=0, description="largest change of a unit's scale, and of its offset")


class ModulatedMlp(AdaptableMlp):
    """A tanh network whose weights adapt, and whose hidden units are scaled and shifted."""

    def __init__(self, sizes: list[int], last_gain: float) -> None:
        super().__init__(sizes, last_gain)
        self._film = [units for units in sizes[1:-1] for _ in ("scale", "shift")]
        self.modulated = sum(self._film)

    def forward(self, x: Tensor, adapted: Tensor) -> Tensor:  # type: ignore[override]
        """Return the output `[N, T, outputs]` for `x` `[N, T, inputs]` and `adapted` `[N, P + modulated]`."""
        weights, film = adapted.split([self.adapted, self.modulated], -1)
        changes, modulation = self.changes(weights), iter(film.split(self._film, -1))
        for layer in self:
            if isinstance(layer, nn.Linear):
                x = changed(layer, x, next(changes), next(changes))
            else:
                x = layer(x) * (1 + next(modulation))[:, None] + next(modulation)[:, None]
        return x


class MmamlPolicy(ConditionedPolicy):
    """An adapting policy whose hidden units the first episodes scale and shift."""

    def __init__(self, sizes: Sizes, config: TrainConfig, settings: MmamlConfig) -> None:
        actor = ModulatedMlp([sizes.obs, *config.policy.hidden, sizes.action], config.policy.head_gain)
        super().__init__(sizes, config.policy, actor, actor.adapted + actor.modulated, settings.rule())
        self.by_gradient, self.jumps, self.reach = actor.adapted, actor.modulated, settings.reach
        self.encoder = EpisodeEncoder(transition_size(sizes.obs, sizes.action), settings.encoder, self.jumps)

    def jumped(self, told: Tensor) -> Tensor:
        """Return weights as they are, and the modulation."""
        return torch.cat([torch.zeros(len(told), self.by_gradient), told], -1)


def build(sizes: Sizes, config: TrainConfig) -> MmamlPolicy:
    """Build π(a | s) whose weights adapt, after its units were modulated."""
    return MmamlPolicy(sizes, config, MmamlConfig.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> MetaLearner:
    """Return the outer loop."""
    assert isinstance(policy, MmamlPolicy)
    return MetaLearner(policy, MmamlConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "mmaml",
    "Vuorio et al. 2019",
    "MAML from units that the first episodes scale and shift",
    True,
    build,
    learner,
    MmamlConfig,
    played,
)
