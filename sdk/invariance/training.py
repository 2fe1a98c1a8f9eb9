"""PPO whose policy sees some signals only through features that look alike in simulation and on the robot.

    f ← E(signals that look different);  a ~ π(· | the other signals, f)              `Guarded`
    each minibatch: PPO's loss + the adversary's on f of what was played and of what was recorded, without rewards
    after each update, a classifier trained afresh says how well f still tells the two apart

What is recorded must have moved much as what is played, or motion itself tells the two apart: record the last policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from domain_rand.schema import ConfigError, Schema, nearest
from robots.spec import load_robot
from sdk.invariance.adversarial import Adversary, Kind, grown, probe_accuracy
from sdk.nn.layers import mlp
from sdk.rl.ppo import Batch, Ppo

if TYPE_CHECKING:
    from sdk.config import TrainConfig

BATCH, JUDGED = 512, 1000
"""Rows of either domain that the adversary sees at a time, and that a fresh classifier learns from and is judged by."""


class AlikeConfig(Schema):
    """Signals that look different on the robot, and how their features are made to look alike."""

    signals: tuple[str, ...] = Field(min_length=1, description="what looks different; never what tells the dynamics")
    target: tuple[str, ...] = Field(min_length=1, description="recordings of the robot: files or folders")
    kind: Kind = Field(default="reversal", description="Ganin et al. 2016, or confusion: Tzeng et al. 2015")
    weight: float = Field(default=3.0, ge=0, description="what features pay in the end for being told apart")
    features: int = Field(default=2, ge=1, description="numbers that the signals become: few, or one hides the domain")
    lr: float = Field(default=1e-2, gt=0, description="step size of the discriminator")


class Guarded(nn.Module):
    """An actor that reads some places of the observation through an encoder only."""

    def __init__(self, sizes: list[int], places: list[int], features: int, last_gain: float) -> None:
        """Build both for an actor of layer `sizes`, of which the first is that of the whole observation."""
        super().__init__()
        self.register_buffer("hidden", torch.tensor(places))
        self.register_buffer("shown", torch.tensor([i for i in range(sizes[0]) if i not in places], dtype=torch.long))
        self.encoder = nn.Sequential(*mlp([len(places), 32, features]), nn.Tanh())
        self.actor = mlp([sizes[0] - len(places) + features, *sizes[1:]], last_gain)

    def features(self, obs: Tensor) -> Tensor:
        """Return the features `[…, features]` of normalised observations `[…, obs]`."""
        return self.encoder(obs.index_select(-1, self.hidden))  # type: ignore[arg-type, no-any-return]

    def forward(self, obs: Tensor) -> Tensor:
        """Return the head's raw numbers for normalised observations."""
        return self.actor(torch.cat([obs.index_select(-1, self.shown), self.features(obs)], -1))  # type: ignore[arg-type, no-any-return]


def places_of(alike: AlikeConfig, config: TrainConfig) -> list[int]:
    """Return where an observation holds the signals. Raises `ConfigError` naming the nearest signal, and for toys."""
    if config.robot is None:
        raise ConfigError(f"method.alike: the toy '{config.subject}' has no signals; valid: a robot")
    slices = load_robot(config.robot, config.task)[0].contract.signal_slices
    for name in alike.signals:
        if name not in slices:
            raise ConfigError(f"method.alike.signals: {config.robot} has no '{name}'; {nearest(name, tuple(slices))}")
    return [i for name in alike.signals for i in range(slices[name].start, slices[name].stop)]


def recorded(alike: AlikeConfig, config: TrainConfig) -> Tensor:
    """Return the robot's observations `[rows, obs]`. Raises `ConfigError` for files that do not fit the run."""
    from sdk.offdynamics.target_data import rows_of_robot  # which needs a run's worlds, and they the algorithms

    assert config.robot is not None
    return rows_of_robot(alike.target, config.robot, config.task).obs


class AlikePpo(Ppo):
    """PPO, and an adversary with an optimiser of its own."""

    def __init__(self, policy: nn.Module, config: TrainConfig, alike: AlikeConfig, target: Tensor) -> None:
        super().__init__(policy, config.ppo, "episode", config.seed)
        self.alike, self.target = alike, target
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.adversary = Adversary(alike.features, (32, 32), alike.kind)
        self.against = torch.optim.Adam(self.adversary.parameters(), alike.lr)

    def update(self, rollout: Any, iteration: int, progress: float) -> dict[str, float]:
        """Improve policy and adversary; `told` says how often a fresh classifier knows the domain, ½ at best."""
        self._scale = grown(progress, self.alike.weight)
        self._rng = keyed_rng(self.seed, "alike", iteration, "rows")
        facts = super().update(rollout, iteration, progress)
        with torch.no_grad():
            played, there = (self._features(self._some(rows, JUDGED)) for rows in (rollout.obs, self.target))
        return facts | {"told": probe_accuracy(played, there, self.seed)}

    def beside(self, batch: Batch) -> Tensor:
        """Return the adversary's loss on rows of the minibatch and of the recordings."""
        played, there = (self._features(self._some(rows, BATCH)) for rows in (batch.rollout.obs, self.target))
        return self.adversary.loss(played, there, self._scale)

    def _descend(self, batch: Batch, entropy_weight: float) -> dict[str, float]:
        self.against.zero_grad(set_to_none=True)
        row = super()._descend(batch, entropy_weight)
        self.against.step()
        return row

    def _features(self, obs: Tensor) -> Tensor:
        policy: Any = self.policy
        return policy.actor.features(policy.normalizer(obs))  # type: ignore[no-any-return]

    def _some(self, rows: Tensor, count: int) -> Tensor:
        flat = rows.flatten(0, -2)
        return flat[torch.from_numpy(self._rng.integers(len(flat), size=count))]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both optimisers, and the adversary."""
        adversary = {"adversary": self.adversary.state_dict(), "against": self.against.state_dict()}
        return super().state_dict() | adversary

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        super().load_state_dict(state)
        self.adversary.load_state_dict(state["adversary"])
        self.against.load_state_dict(state["against"])
