"""MAML: weights from which one step of policy gradient makes a good policy (Finn, Abbeel and Levine 2017).

    for each iteration, for each of N tasks i:
        play `rollouts` episodes with θ
        θᵢ ← θ + α ∇θ J(θ; these episodes)
        play `rollouts` episodes with θᵢ
    θ ← TRPO step on Σᵢ J(θᵢ; the later episodes), differentiated through the inner step

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| θᵢ = θ − α ∇L(θ) (eq. 1)                        | `sdk.rl.inner_step.gradient_step`                    |
| ∇ log π · A with a linear baseline (section 5.3)| `sdk.nn.adapting.AdaptingPolicy.adapted_by`          |
| min_θ Σᵢ L(θᵢ) (eq. 4), by TRPO                 | `sdk.rl.meta_learner.MetaLearner.outer_objective`    |
| first-order approximation (section 5.2)         | `first_order`                                        |

On a robot θᵢ − θ is the carry: zero at the start of a trial, moved by `adapt` between episodes.

After its first step a trained policy takes shorter ones, `later_share` of the first (appendix A.2: half).

Deviations: the spread of the actions is learned with θ and does not adapt, so no data can make a robot explore more
than training allowed. Inner gradients are shortened to `inner_max_norm`. The mean action is inside [−1, 1] (tanh).
"""

from __future__ import annotations

from torch import nn

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptableMlp, AdaptingPolicy
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, inner_settings, played


def build(sizes: Sizes, config: TrainConfig, policy: type[AdaptingPolicy] = AdaptingPolicy) -> AdaptingPolicy:
    """Build π(a | s) whose weights adapt."""
    actor = AdaptableMlp([sizes.obs, *config.policy.hidden, sizes.action], config.policy.head_gain)
    return policy(sizes, config.policy, actor, actor.adapted, inner_settings(config).rule())


def learner(policy: nn.Module, config: TrainConfig) -> MetaLearner:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return MetaLearner(policy, MetaConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "maml",
    "Finn et al. 2017",
    "weights that one step of policy gradient adapts",
    True,
    build,
    learner,
    MetaConfig,
    played,
)
