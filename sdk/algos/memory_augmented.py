"""Memory-augmented RL: a controller with slots to write to and look up by content (Graves 2014; Santoro 2016).

    for each trial: draw a task; blank the controller and all slots
        for each of its episodes, for each step:
            controller ← GRU(obs, last action, [last reward,] episode start, what was read last; controller)
            read `heads` vectors, each the mean of all slots weighted by likeness to a key
            write one vector: to the slot most like another key, or to the one least used, or nowhere
            act on controller, what was read, and obs
    improve the sum of rewards over the whole trial with PPO

| equation                                                 | where                           |
|----------------------------------------------------------|---------------------------------|
| content weights (Graves 2014, eqs. 5 and 6)              | `sdk.nn.slots.address`          |
| erase and add (Graves 2014, eqs. 3 and 4)                | `sdk.nn.slots.write`            |
| usage, least used slot (Santoro 2016, eqs. 6 and 7)      | `Slots._step`, `least_used`     |
| the controller's orders (Graves et al. 2016)             | `Slots._orders`                 |

Deviations: PPO for the supervised loss of these papers. The least used slot is chosen by soft weights, so that a graph
on another machine cannot tip over at a tie. Writing is gated between likeness and disuse as in the differentiable
neural computer, without its links in time. Heads, critic and last reward as in RL².
"""

from __future__ import annotations

from pydantic import Field

from domain_rand.schema import Schema
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.policies import MemoryPolicy
from sdk.nn.slots import Slots
from sdk.rl.ppo import by_ppo


class Settings(Schema):
    """Sizes of the external memory; the controller has `policy.memory` units."""

    slots: int = Field(default=16, ge=1, description="vectors it can hold")
    width: int = Field(default=16, ge=1, description="numbers in each")
    heads: int = Field(default=1, ge=1, description="vectors it reads at a step")


def build(sizes: Sizes, config: TrainConfig) -> MemoryPolicy:
    """Build π(a | s, controller, what was read)."""
    of = Settings.parse(config.method, "method")
    memory = Slots(sizes.step_inputs, config.policy.memory, slots=of.slots, width=of.width, heads=of.heads)
    return MemoryPolicy(sizes, config.policy, memory)


ALGORITHM = Algorithm(
    "memory_augmented",
    "Santoro et al. 2016",
    "a controller with slots that it finds by content",
    True,
    build,
    by_ppo("trial"),
    Settings,
)
