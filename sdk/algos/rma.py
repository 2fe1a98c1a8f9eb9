"""RMA: a policy that is told what matters of its world, then an inference of that from the last steps (Kumar 2021).

    phase one, for each iteration: play trials;  z ← μ(true context)
        improve π(a | obs, last action, z) with PPO, through μ
    phase two, for each iteration: play trials, acting on ẑ ← φ(the last steps), anew every few control steps
        a few times: descend ‖φ(the last steps) − μ(true context)‖², π and μ held fixed

| equation                                             | where                                          |
|------------------------------------------------------|------------------------------------------------|
| z = μ(e), a = π(x, last a, z) (eq. 1 and 2)          | `ExtrinsicsPolicy.privileged`, `.act`          |
| ẑ = φ(last steps) (eq. 3), convolutions of table III | `sdk.nn.history.HistoryEncoder`                |
| ‖ẑ − z‖² on its own roll-outs (section III-B)        | `sdk.rl.two_phases.TwoPhases.loss`             |
| φ slower than π (section III-C)                      | `ExtrinsicsPolicy.infer`, `method.every`       |

z holds what matters of the context for acting, and no more: what cannot be told from motion is not asked for where the
policy has no use for it. `adapt: false` is "RMA without adaptation": the same policy on the usual z.

Deviations: the window holds what is read at a step, the newest observation included, and spans episodes. φ is computed
at every step and its result taken every few: a step always costs the same. The first rollout of phase two is the last
one that was told. The critic reads the true context for z.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.extrinsics import ExtrinsicsPolicy
from sdk.nn.layers import mlp
from sdk.rl.two_phases import TwoPhases, TwoPhaseSettings


class RmaConfig(TwoPhaseSettings):
    """The keys under `method`."""

    latent: int = Field(default=8, ge=1, description="dimensions of z")
    encoder_hidden: tuple[int, ...] = Field(default=(64, 64), description="networks of the privileged encoder")


def build(sizes: Sizes, config: TrainConfig) -> ExtrinsicsPolicy:
    """Build π(a | s, last action, z). Raises `ConfigError` where no context is hidden."""
    settings = RmaConfig.parse(config.method, "method")
    sizes.need_context("rma", "could be inferred")
    privileged = mlp([sizes.context, *settings.encoder_hidden, settings.latent])
    return ExtrinsicsPolicy(sizes, config.policy, privileged, settings.latent, settings)


def learner(policy: nn.Module, config: TrainConfig) -> TwoPhases:
    """Return what improves the policy, and then its inference."""
    assert isinstance(policy, ExtrinsicsPolicy)
    return TwoPhases(policy, config, RmaConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "rma",
    "Kumar et al. 2021",
    "told what matters first, then infers it from the last steps",
    True,
    build,
    learner,
    RmaConfig,
)
