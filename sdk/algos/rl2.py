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

Deviations: PPO for TRPO. The action head reads the observation beside the memory, and where much has to be kept apart
the observation gates it and memory reads whole transitions (`method`). The last reward is an input only
where the contract says that the robot reports one. The critic sees the true context while training.
"""

from __future__ import annotations

from pydantic import Field

from domain_rand.schema import ConfigError, Schema
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.memory import Memory
from sdk.nn.policies import MemoryPolicy
from sdk.nn.recurrent import Gru, Lstm
from sdk.nn.transitions import Transitions
from sdk.rl.ppo import by_ppo


class Settings(Schema):
    """How memory is written and read; the cell and its size are those of `policy`."""

    transitions: int | None = Field(
        default=None, ge=1, description="features of (observation before, step) that memory reads; none: the step alone"
    )
    gate: bool = Field(default=False, description="whether the observation gates what memory gives the actor")
    spans: int | None = Field(
        default=None,
        ge=3,
        description="most steps that units of a GRU begin by keeping what they hold; none: one or two",
    )


def build(sizes: Sizes, config: TrainConfig) -> MemoryPolicy:
    """Build π(a | s, memory)."""
    of = Settings.parse(config.method, "method")
    if config.policy.cell == "lstm" and of.spans is not None:
        raise ConfigError(f"method.spans = {of.spans} is about the gates of a GRU; policy.cell is 'lstm'")

    def make(inputs: int) -> Memory:
        units = config.policy.memory
        return Gru(inputs, units, of.spans) if config.policy.cell == "gru" else Lstm(inputs, units)

    inputs = sizes.step_inputs
    memory = make(inputs) if of.transitions is None else Transitions(inputs, sizes.obs, of.transitions, make)
    return MemoryPolicy(sizes, config.policy, memory, gated=of.gate)


ALGORITHM = Algorithm(
    "rl2", "Duan et al. 2016", "memory over a trial: adapts while it acts", True, build, by_ppo("trial"), Settings
)
