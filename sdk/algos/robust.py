"""Domain randomisation without memory (Tobin et al. 2017; Peng et al. 2018): one policy for all worlds.

    draw a world; act on the observation alone; improve the mean return over worlds

The baseline every adaptive policy must beat: it can only do what is right on average.
Deviation: the critic sees the true context while training, as in asymmetric actor-critic (Pinto et al. 2018).
"""

from __future__ import annotations

from sdk.algos.base import Algorithm, Sizes
from sdk.config import PolicyConfig
from sdk.nn.policies import MlpPolicy


def build(sizes: Sizes, config: PolicyConfig) -> MlpPolicy:
    """Build π(a | s)."""
    return MlpPolicy(sizes.obs, sizes.action, sizes.context, config.hidden, sizes.log_std(config), oracle=False)


ALGORITHM = Algorithm("robust", "Tobin et al. 2017", "one policy for all worlds, no memory", "episode", True, build)
