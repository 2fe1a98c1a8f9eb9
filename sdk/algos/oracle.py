"""The oracle: a policy told the true context, π(a | s, c) (the universal policy of Yu et al. 2017).

    draw a world; act on observation and true physical parameters; improve the mean return over worlds

No robot can report its own hidden parameters, so it never leaves the simulator: it is the ceiling that the gap closed
by an adaptive policy is measured against.
"""

from __future__ import annotations

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.policies import MlpPolicy
from sdk.rl.ppo import by_ppo


def build(sizes: Sizes, config: TrainConfig) -> MlpPolicy:
    """Build π(a | s, c)."""
    return MlpPolicy(sizes, config.policy, oracle=True)


ALGORITHM = Algorithm("oracle", "Yu et al. 2017", "told the true context: the ceiling", False, build, by_ppo("episode"))
