"""DiCE: MAML whose inner objective has the right derivatives of every order (Foerster et al. 2018).

    as MAML, but the inner objective carries, step by step, the probability of all the actions up to it:
    □(x) = exp(x − ⊥(x));  inner objective  Σ_t □(Σ_{s ≤ t} log π(a_s)) r_t

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| □ (section 4)                                   | `sdk.rl.surrogates.magic_box`                        |
| the objective (eq. 6), in advantages            | `sdk.rl.surrogates.dice`                             |

Deviations: advantages of the linear baseline take the place of rewards and of the paper's baseline term (eq. 7), which
lowers the variance of the second derivatives too (Farquhar et al. 2019). They discount from their own step on. The
first derivatives are MAML's, and so is what a robot does.
"""

from __future__ import annotations

from torch import Tensor, nn

from sdk.algos.base import Algorithm
from sdk.algos.maml import build
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy, InnerObjective
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import Episodes
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.surrogates import dice


class Dice(MetaLearner):
    """MAML through the infinitely differentiable estimator."""

    def inner_objective(self, played: ActionDistribution) -> InnerObjective:
        """Return the estimator."""

        def objective(log_prob: Tensor, advantage: Tensor, episodes: Episodes) -> Tensor:
            return dice(log_prob, advantage, episodes)

        return objective


def learner(policy: nn.Module, config: TrainConfig) -> Dice:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return Dice(policy, MetaConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "dice", "Foerster et al. 2018", "MAML with unbiased second derivatives", True, build, learner, MetaConfig, played
)
