"""Domain randomisation without memory (Tobin et al. 2017; Peng et al. 2018): one policy for all worlds.

    draw a world; act on the observation alone; improve the mean return over worlds

The baseline every adaptive policy must beat: it can only do what is right on average.
Deviation: the critic sees the true context while training, as in asymmetric actor-critic (Pinto et al. 2018).
"""

from __future__ import annotations

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.policies import MlpPolicy
from sdk.rl.ppo import by_ppo


def build(sizes: Sizes, config: TrainConfig) -> MlpPolicy:
    """Build π(a | s)."""
    return MlpPolicy(sizes, config.policy, oracle=False)


ALGORITHM = Algorithm(
    "robust", "Tobin et al. 2017", "one policy for all worlds, no memory", True, build, by_ppo("episode")
)
