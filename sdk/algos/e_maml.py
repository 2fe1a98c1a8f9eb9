"""E-MAML: what was tried before adapting answers for what is earned after it (Stadie et al. 2018).

    as MAML, but the outer objective is the expectation over what is sampled to adapt on:
    ∇ E_τ[J(θ'(τ))] = E_τ[∇ J(θ'(τ)) + J(θ'(τ)) ∇ log π_θ(τ)]

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| first term: MAML                                | `sdk.rl.meta_learner.MetaLearner.outer_objective`    |
| second term (section 3)                         | `sdk.rl.surrogates.exploration`                      |

Deviations: the credit of a task is its later return in standard deviations over the tasks of the iteration, and the
second term is the mean over the steps adapted on, where the exact one is the sum: its noise grows with every step that
a batch holds. `exploration` is its weight.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm
from sdk.algos.maml import build
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import Episodes, masked_mean
from sdk.rl.meta_learner import MetaLearner, Trials
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.surrogates import exploration


class EMamlConfig(MetaConfig):
    """The keys under `method`."""

    exploration: float = Field(default=1.0, ge=0, description="weight of the credit for what was tried before adapting")


def credit(query: Episodes) -> Tensor:
    """Return each task's mean reward `[N]` after adapting, in standard deviations from the mean of all tasks."""
    earned = masked_mean(query.reward, query.mask)
    return (earned - earned.mean()) / (earned.std(correction=0) + 1e-6)


class EMaml(MetaLearner):
    """MAML with credit for exploring."""

    settings: EMamlConfig

    def outer_objective(self, trials: Trials, actions: ActionDistribution, states: list[Tensor]) -> Tensor:
        """Return MAML's objective and what each batch adapted on deserves of the last, `[N]`."""
        deserved, explored = credit(trials.query), torch.zeros(trials.advantage.shape[1])
        for episodes, old, state in zip(trials.support, trials.played, states[:-1], strict=True):
            log_prob = self.policy.actions(episodes, state).log_prob(episodes.action)
            explored = explored + exploration(log_prob, old.log_prob(episodes.action), deserved, episodes.mask)
        return super().outer_objective(trials, actions, states) + self.settings.exploration * explored


def learner(policy: nn.Module, config: TrainConfig) -> EMaml:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return EMaml(policy, EMamlConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "e_maml", "Stadie et al. 2018", "MAML with credit for exploring", True, build, learner, EMamlConfig, played
)
