"""Soft actor-critic: one policy for all worlds, learned from everything it has played (Haarnoja et al. 2018).

    for each iteration:
        collect whole trials;  keep them
        for each descent: a batch of kept steps;  a′ ~ π(s′)
            y ← r + γ (1 − terminated) (min Q̄(s′, a′) − α log π(a′ | s′));  descend (Q − y)²;  Q̄ follows Q
            a ~ π(s);  descend α log π(a | s) − min Q(s, a)
            descend log α · (entropy − target)

| equation                               | where                                                     |
|----------------------------------------|-----------------------------------------------------------|
| soft value of what follows (eq. 3, 8)  | `sdk.rl.soft.critic_target`                               |
| losses of critics, actor (eq. 5, 9)    | `sdk.rl.soft.critic_loss`, `actor_loss`                   |
| temperature (section 6)                | `sdk.rl.soft.temperature_loss`                            |
| log-density under tanh (appendix C)    | `sdk.rl.distributions.SquashedGaussian.sample`            |

Deviations: the temperature's logarithm is descended. The critics see the true context where `policy.informed_critic`.
Instead of random actions before the first descent, those of an actor that has not learned: tanh of a standard normal.
"""

from __future__ import annotations

from torch import nn

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.squashed import SquashedPolicy
from sdk.rl.sac import Sac
from sdk.rl.soft import SoftConfig


def build(sizes: Sizes, config: TrainConfig) -> SquashedPolicy:
    """Build π(a | s)."""
    return SquashedPolicy(sizes, config.policy)


def learner(policy: nn.Module, config: TrainConfig) -> Sac:
    """Return what improves it."""
    assert isinstance(policy, SquashedPolicy)
    return Sac(policy, config)


ALGORITHM = Algorithm(
    "sac",
    "Haarnoja et al. 2018",
    "one policy for all worlds, learned from everything played",
    True,
    build,
    learner,
    SoftConfig,
)
