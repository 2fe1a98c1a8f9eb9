"""Domain randomisation without memory (Tobin et al. 2017; Peng et al. 2018): one policy for all worlds.

    draw a world; act on the observation alone; improve the mean return over worlds

The baseline every adaptive policy must beat: it can only do what is right on average.
Deviation: the critic sees the true context while training, as in asymmetric actor-critic (Pinto et al. 2018).

With `method.alike`, signals that look different on the robot are seen through features that look alike in both
(`sdk/invariance/training.py`): for sensors, not for dynamics.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from domain_rand.schema import Schema
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.invariance.training import AlikeConfig, AlikePpo, Guarded, places_of, recorded
from sdk.nn.policies import MlpPolicy
from sdk.rl.ppo import Ppo


class RobustConfig(Schema):
    """The keys under `method`."""

    alike: AlikeConfig | None = Field(default=None, description="signals to be told apart from the robot's by nothing")


def build(sizes: Sizes, config: TrainConfig) -> MlpPolicy:
    """Build π(a | s)."""
    policy, alike = MlpPolicy(sizes, config.policy, oracle=False), _alike(config)
    if alike is not None:
        layers = [sizes.obs, *config.policy.hidden, sizes.action]
        policy.actor = Guarded(layers, places_of(alike, config), alike.features, config.policy.head_gain)
    return policy


def learner(policy: nn.Module, config: TrainConfig) -> Ppo:
    """Return PPO whose sums of reward stop at the episode's end."""
    alike = _alike(config)
    if alike is None:
        return Ppo(policy, config.ppo, "episode", config.seed)
    return AlikePpo(policy, config, alike, recorded(alike, config))


def _alike(config: TrainConfig) -> AlikeConfig | None:
    return RobustConfig.parse(config.method, "method").alike


ALGORITHM = Algorithm(
    "robust", "Tobin et al. 2017", "one policy for all worlds, no memory", True, build, learner, RobustConfig
)
