"""ProMP: proximal steps on what adaptation leads to (Rothfuss et al. 2019).

    play N trials, batches 0 … K;  θ_o ← θ
    for each of `outer_steps` steps of Adam, on the same trials:
        φ_{k+1} ← φ_k + α ∇ mean of π_θ,φ/π_θo,φ · A over batch k         (low variance curvature)
        ascend  clipped ratio on batch K with φ_K  −  η Σ_k KL(π_θo,φ_k ‖ π_θ,φ_k)

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| low variance curvature, J^LR (sections 5 and 6) | `sdk.rl.surrogates.likelihood_ratio`                 |
| J^CLIP (section 6)                              | `sdk.rl.meta_learner.MetaLearner.outer_objective`    |
| J^ProMP: the penalty (section 6)                | `ProMP.outer_objective`                              |

Deviations: η is constant. How far the spread of the actions moves is part of the divergence.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm
from sdk.algos.maml import build
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy, InnerObjective
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import masked_mean
from sdk.rl.meta_learner import MetaLearner, Trials, ratio_to
from sdk.rl.meta_settings import MetaConfig, played


class PrompConfig(MetaConfig):
    """The keys under `method`."""

    outer: Literal["trpo", "adam"] = "adam"
    clip: float | None = Field(default=0.3, gt=0, description="how far a ratio may pay to move from 1")
    inner_kl: float = Field(default=5e-4, ge=0, description="weight of the divergence before and between adaptations")


class ProMP(MetaLearner):
    """Several steps of Adam on the same trials, bounded before and after adaptation."""

    settings: PrompConfig

    def inner_objective(self, played: ActionDistribution) -> InnerObjective:
        """Return the ratio to how the batch was played."""
        return ratio_to(played.log_prob)

    def outer_objective(self, trials: Trials, actions: ActionDistribution, states: list[Tensor]) -> Tensor:
        """Return the clipped objective `[N]`, less what the earlier batches' policies moved."""
        moved = torch.zeros(trials.advantage.shape[1])
        for episodes, old, state in zip(trials.support, trials.played, states[:-1], strict=True):
            moved = moved + masked_mean(old.kl(self.policy.actions(episodes, state)), episodes.mask)
        return super().outer_objective(trials, actions, states) - self.settings.inner_kl * moved


def learner(policy: nn.Module, config: TrainConfig) -> ProMP:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return ProMP(policy, PrompConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "promp",
    "Rothfuss et al. 2019",
    "MAML by proximal steps, with less noise in second derivatives",
    True,
    build,
    learner,
    PrompConfig,
    played,
)
