"""Meta-SGD: MAML that also learns how far each weight steps, and which way (Li et al. 2017).

    as MAML, with θᵢ ← θ − α ∘ ∇L(θ): one step size for each weight, learned together with θ

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| α ∘ ∇L(θ) (section 3)                           | `sdk.rl.inner_step.gradient_step`, `step_size` `[P]` |
| min_{θ,α} Σᵢ L(θᵢ) (section 3)                  | `sdk.rl.meta_learner.MetaLearner`                    |

Deviations: TRPO moves the step sizes together with the weights. All begin at `inner_lr`; MAML is where they stay there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sdk.algos import maml
from sdk.algos.base import Algorithm, Sizes
from sdk.nn.adapting import AdaptationRule, AdaptingPolicy
from sdk.rl.meta_settings import MetaConfig, played

if TYPE_CHECKING:
    from sdk.config import PolicyConfig, TrainConfig


class MetaSgdPolicy(AdaptingPolicy):
    """An adapting policy with a learned step size for each number that adapts."""

    def __init__(
        self, sizes: Sizes, config: PolicyConfig, actor: nn.Module, adapted: int, rule: AdaptationRule
    ) -> None:
        super().__init__(sizes, config, actor, adapted, rule)
        self.step_sizes = nn.Parameter(torch.full((adapted,), rule.lr))

    @property
    def step_size(self) -> Tensor:
        """Length of a step for a gradient of norm 1 `[P]`; negative where the opposite was found to be right."""
        return self.step_sizes


def build(sizes: Sizes, config: TrainConfig) -> AdaptingPolicy:
    """Build π(a | s) whose weights adapt, each at its own pace."""
    return maml.build(sizes, config, MetaSgdPolicy)


ALGORITHM = Algorithm(
    "meta_sgd", "Li et al. 2017", "MAML with learned step sizes", True, build, maml.learner, MetaConfig, played
)
