"""What learns beside a policy, by an objective of its own, from the trials played last: what infers the task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from domain_rand.schema import Schema
from sdk.rl.annealing import anneal
from sdk.rl.rollout import Rollout
from sdk.rl.soft import mean_of
from sdk.rl.trial_buffer import TrialBuffer

if TYPE_CHECKING:
    from sdk.config import TrainConfig
    from sdk.rl.ppo import Ppo


class TrialModelSettings(Schema):
    """Settings that every such model has, under `method`."""

    lr: float = Field(default=1e-3, gt=0, description="Adam step size of what infers; falls as PPO's does")
    updates: int = Field(default=3, ge=1, description="its descents per iteration")
    batch_trials: int = Field(default=32, ge=1, description="trials of each of them")
    buffer_trials: int = Field(default=512, ge=1, description="trials to draw them from: the last ones")


Loss = Callable[[Rollout, np.random.Generator], tuple[Tensor, dict[str, float]]]
"""From some trials to what is descended, and what there is to watch of it."""


class TrialModel:
    """An optimiser and the last trials; `name` keys what it draws, `loss` says what it learns."""

    def __init__(
        self,
        name: str,
        parameters: Iterable[nn.Parameter],
        loss: Loss,
        settings: TrialModelSettings,
        config: TrainConfig,
    ) -> None:
        self.name, self.loss, self.settings = name, loss, settings
        self.max_grad_norm, self.seed = config.ppo.max_grad_norm, config.seed
        self.parameters = list(parameters)
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.lr)
        self.buffer = TrialBuffer(settings.buffer_trials)

    def learn(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Keep the trials and descend a few times on some that are kept; returns means."""
        self.buffer.add(rollout)
        anneal(self.optimizer, self.settings.lr, progress)
        rng = keyed_rng(self.seed, self.name, iteration, "beliefs")
        return mean_of([self.descend(self._some(rng), rng) for _ in range(self.settings.updates)])

    def descend(self, trials: Rollout, rng: np.random.Generator) -> dict[str, float]:
        """Take one step down the loss of these trials, and return what there is to watch."""
        loss, seen = self.loss(trials, rng)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.optimizer.step()
        return seen

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.optimizer.load_state_dict(state["optimizer"])

    def _some(self, rng: np.random.Generator) -> Rollout:
        chosen = rng.permutation(len(self.buffer))[: self.settings.batch_trials]
        return self.buffer.trials(torch.from_numpy(chosen))


class BesidePpo:
    """A learner of two parts: PPO for the policy, and beside it a model of trials; this is what it keeps of them."""

    ppo: Ppo
    model: TrialModel

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that is kept."""
        return self.model.buffer.remembers

    def remember(self, rollout: Rollout) -> None:
        """Take in what was played, and learn nothing."""
        self.model.buffer.add(rollout)

    def state_dict(self) -> dict[str, Any]:
        """Return both optimisers."""
        return {"ppo": self.ppo.state_dict(), **self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.ppo.load_state_dict(state["ppo"])
        self.model.load_state_dict(state)
