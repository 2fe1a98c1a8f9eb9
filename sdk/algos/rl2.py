"""RL²: a recurrent policy whose memory spans a trial, so that learning within the trial is what it learns (Duan 2016).

    for each trial: draw a task; blank the memory
        for each of its episodes, for each step:
            memory ← GRU(obs, last action, [last reward,] episode start; memory);  act on memory and obs
    improve the sum of rewards over the whole trial with PPO

| equation                                        | where                                              |
|-------------------------------------------------|----------------------------------------------------|
| memory kept over inner episodes, blank per trial| `sdk.rl.rollout.collect`, `GruPolicy.unroll`       |
| objective over the trial (Duan 2016, section 2) | `sdk.rl.ppo.advantages(…, horizon="trial")`        |

Deviations: PPO for TRPO. The action head reads the observation beside the memory. The last reward is an input only
where the contract says that the robot reports one. The critic sees the true context while training.
"""

from __future__ import annotations

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.policies import GruPolicy
from sdk.rl.ppo import by_ppo


def build(sizes: Sizes, config: TrainConfig) -> GruPolicy:
    """Build π(a | s, memory)."""
    policy = config.policy
    return GruPolicy(
        sizes.obs, sizes.action, sizes.context, policy.hidden, policy.memory, sizes.log_std(policy), sizes.reads_reward
    )


ALGORITHM = Algorithm(
    "rl2", "Duan et al. 2016", "memory over a trial: adapts while it acts", True, build, by_ppo("trial")
)
