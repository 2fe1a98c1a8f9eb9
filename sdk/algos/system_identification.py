"""Explicit system identification: the oracle, then an estimate of the context from the last steps (Yu et al. 2017).

    phase one: improve π(a | obs, last action, true context) with PPO
    phase two: play trials, acting on ĉ ← φ(the last steps);  descend ‖φ(the last steps) − true context‖²

| equation                                            | where                                          |
|-----------------------------------------------------|------------------------------------------------|
| universal policy π(a | x, μ) (section IV-A)         | `ExtrinsicsPolicy.act`                         |
| online identification μ = φ(H) (section IV-B)       | `sdk.nn.history.HistoryEncoder`                |
| trained on its own roll-outs (algorithm 2)          | `sdk.rl.two_phases.TwoPhases.loss`             |

RMA with the context itself for z: the baseline that RMA must beat. All physical parameters are asked for, also those
that motion does not tell or acting does not need. Networks, window and rate are RMA's.

Deviation: PPO for TRPO. Convolutions over the window.
"""

from __future__ import annotations

from torch import nn

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.extrinsics import ExtrinsicsPolicy
from sdk.rl.two_phases import TwoPhases, TwoPhaseSettings


def build(sizes: Sizes, config: TrainConfig) -> ExtrinsicsPolicy:
    """Build π(a | s, last action, context). Raises `ConfigError` where no context is hidden."""
    settings = TwoPhaseSettings.parse(config.method, "method")
    sizes.need_context("system_identification", "could be identified")
    return ExtrinsicsPolicy(sizes, config.policy, nn.Identity(), sizes.context, settings)


def learner(policy: nn.Module, config: TrainConfig) -> TwoPhases:
    """Return what improves the policy, and then its estimate of the context."""
    assert isinstance(policy, ExtrinsicsPolicy)
    return TwoPhases(policy, config, TwoPhaseSettings.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "system_identification",
    "Yu et al. 2017",
    "the oracle on parameters that it identifies from the last steps",
    True,
    build,
    learner,
    TwoPhaseSettings,
)
