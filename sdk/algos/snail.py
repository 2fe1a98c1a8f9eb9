"""SNAIL: temporal convolutions bring the past near, attention picks from it; no recurrence (Mishra et al. 2018).

    for each trial: draw a task; forget everything
        for each of its episodes, for each step:
            x ← embed(obs, last action, [last reward,] episode start)
            repeat: x ← [x, gated convolutions over 1, 2, 4, … steps back];  x ← [x, attention over the window]
            act on x and obs
    improve the sum of rewards over the whole trial with PPO

| equation                                             | where                                                     |
|------------------------------------------------------|-----------------------------------------------------------|
| dense block: [x, tanh(w₁∗x) · σ(w₂∗x)] (algorithm 1) | `sdk.nn.window.CausalConvolution`, `gated`                |
| temporal-convolution block (algorithm 2)             | `sdk.nn.window.Snail`, `dilations`                        |
| attention block: softmax(q kᵀ/√d, causal) v (alg. 3) | `sdk.nn.window.attend`, `attend_to_window`                |
| the same, a step at a time                           | `Snail.step`: the carry is a window of rows               |

Deviations: PPO for TRPO. Attention sees the `window` steps before it, not the whole trial, so that a robot's memory is
bounded. The action head reads the observation beside the features. Critic and last reward as in RL².
"""

from __future__ import annotations

from pydantic import Field

from domain_rand.schema import ConfigError, Schema
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.policies import MemoryPolicy
from sdk.nn.window import Snail
from sdk.rl.ppo import by_ppo


class Settings(Schema):
    """Sizes of the network between the inputs and the heads."""

    filters: int = Field(default=16, ge=1, description="features that the embedding and each convolution add")
    key_size: int = Field(default=16, ge=1, description="numbers by which attention finds a step")
    value_size: int = Field(default=16, ge=1, description="numbers that attention reads there")
    window: int = Field(default=64, ge=1, description="steps before this one that attention sees")
    blocks: int = Field(default=2, ge=1, description="pairs of a temporal-convolution block and attention")


def build(sizes: Sizes, config: TrainConfig) -> MemoryPolicy:
    """Build π(a | s, features of the window). Raises `ConfigError` when trials were to be cut into segments."""
    if config.ppo.bptt is not None:
        raise ConfigError(
            f"ppo.bptt is {config.ppo.bptt}, but snail learns from whole trials in one pass and has no state to begin "
            "a segment with; set ppo.bptt: null, and method.window to bound what it looks back at"
        )
    of = Settings.parse(config.method, "method")
    memory = Snail(
        sizes.step_inputs,
        filters=of.filters,
        key=of.key_size,
        value=of.value_size,
        window=of.window,
        blocks=of.blocks,
    )
    return MemoryPolicy(sizes, config.policy, memory)


ALGORITHM = Algorithm(
    "snail",
    "Mishra et al. 2018",
    "convolutions and attention over a window of the trial",
    True,
    build,
    by_ppo("trial"),
    Settings,
)
