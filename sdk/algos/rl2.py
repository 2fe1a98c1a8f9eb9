"""RL²: a recurrent policy whose memory spans a trial, so that learning within the trial is what it learns (Duan 2016).

    for each trial: draw a task; blank the memory
        for each of its episodes, for each step:
            memory ← cell(obs, last action, [last reward,] episode start; memory);  act on memory and obs
    improve the sum of rewards over the whole trial with PPO

| equation                                        | where                                              |
|-------------------------------------------------|----------------------------------------------------|
| memory kept over inner episodes, blank per trial| `sdk.rl.rollout.collect`, `MemoryPolicy.unroll`    |
| the cell: GRU, or LSTM (`policy.cell`)          | `sdk.nn.recurrent`                                 |
| objective over the trial (Duan 2016, section 2) | `sdk.rl.ppo.advantages(…, horizon="trial")`        |

Deviations: PPO for TRPO. The action head reads the observation beside the memory. The last reward is an input only
where the contract says that the robot reports one. The critic sees the true context while training.
"""

from __future__ import annotations

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.policies import MemoryPolicy
from sdk.nn.recurrent import Gru, Lstm
from sdk.rl.ppo import by_ppo


def build(sizes: Sizes, config: TrainConfig) -> MemoryPolicy:
    """Build π(a | s, memory)."""
    cell = Gru if config.policy.cell == "gru" else Lstm
    return MemoryPolicy(sizes, config.policy, cell(sizes.step_inputs, config.policy.memory))


ALGORITHM = Algorithm(
    "rl2", "Duan et al. 2016", "memory over a trial: adapts while it acts", True, build, by_ppo("trial")
)
