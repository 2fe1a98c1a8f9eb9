"""Pre-train on all tasks at once, then adapt by the very steps that MAML takes: what meta-learning must beat.

    for each iteration: play N trials with θ, which does not adapt;  θ ← TRPO step on Σᵢ J(θ; all episodes of task i)
    once trained: θᵢ ← θ + α ∇θ J(θ; the first `rollouts` episodes), and so on, as MAML

The baseline "pretrained" of Finn et al. 2017, section 5.3. Advantages are those of each task, against its own linear
baseline, as MAML's are. Everything else is MAML too: networks, steps, experience, and what a robot does.
"""

from __future__ import annotations

from torch import Tensor, nn

from sdk.algos import maml
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy
from sdk.rl.episodes import Episodes, batches
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.rollout import Carry, Rollout


class FinetunedPolicy(AdaptingPolicy):
    """An adapting policy that does not adapt as long as it is in training."""

    def adapt(self, episodes: tuple[Tensor, ...], carry: Carry) -> Carry:
        """Return the carry after one round, or as it was while training."""
        return carry if self.training else super().adapt(episodes, carry)


class Pretraining(MetaLearner):
    """TRPO on the shared weights as they are."""

    def cut(self, rollout: Rollout) -> list[Episodes]:
        """Return everything as one batch, and none to adapt on."""
        return batches(rollout, self.settings.rollouts * (self.settings.inner_steps + 1), 1)


def build(sizes: Sizes, config: TrainConfig) -> AdaptingPolicy:
    """Build π(a | s) whose weights adapt once it is trained."""
    return maml.build(sizes, config, FinetunedPolicy)


def learner(policy: nn.Module, config: TrainConfig) -> Pretraining:
    """Return the outer loop."""
    assert isinstance(policy, AdaptingPolicy)
    return Pretraining(policy, MetaConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "finetune",
    "Finn et al. 2017 (baseline)",
    "pre-trained on all tasks, adapted by the same steps as MAML",
    True,
    build,
    learner,
    MetaConfig,
    played,
)
