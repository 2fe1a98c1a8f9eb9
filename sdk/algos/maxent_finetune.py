"""Pre-train on all tasks at once with actions as random as the reward allows, then adapt by MAML's steps.

    as `finetune`, with θ ← TRPO step on Σᵢ J(θ) + `entropy_weight` · mean entropy of π_θ

Adapting by policy gradient lives on what the policy tries; a policy that was merely pre-trained hardly tries anything.
After the maximum entropy objective (Ziebart 2010; Haarnoja et al. 2017, who fine-tune such policies).

Deviations: the entropy of the states visited, not that of states to come. It stands beside advantages of standard
deviation 1.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm
from sdk.algos.finetune import Pretraining, build
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import masked_mean
from sdk.rl.meta_learner import Trials
from sdk.rl.meta_settings import MetaConfig, played


class MaxentConfig(MetaConfig):
    """The keys under `method`."""

    entropy_weight: float = Field(default=0.1, ge=0, description="worth of one nat of the actions' entropy")


class MaxentPretraining(Pretraining):
    """TRPO on the shared weights as they are, with a price on certainty."""

    settings: MaxentConfig

    def outer_objective(self, trials: Trials, actions: ActionDistribution, states: list[Tensor]) -> Tensor:
        """Return what the tasks earn and how random the actions are, `[N]`."""
        mask = trials.query.mask
        entropy = masked_mean(actions.entropy().expand_as(mask), mask)
        return super().outer_objective(trials, actions, states) + self.settings.entropy_weight * entropy


def learner(policy: nn.Module, config: TrainConfig) -> MaxentPretraining:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return MaxentPretraining(policy, MaxentConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "maxent_finetune",
    "Haarnoja et al. 2017 (baseline)",
    "pre-trained to act as randomly as the reward allows, adapted by the same steps as MAML",
    True,
    build,
    learner,
    MaxentConfig,
    played,
)
