"""PAR: pay less where what followed is not what the target's latent dynamics foretell (Lyu et al. 2024).

    descend ‖g(f(s), a) − f(s′)‖² on rows of the target, f(s′) a constant
    r ← r − λ · clip(‖g(f(s), a) − f(s′)‖²) on rows of the source

| equation                       | where                |
|--------------------------------|----------------------|
| latent codes f                 | `LatentDynamics.code`|
| mismatch, and the loss (eq. 5) | `mismatch`           |
| corrected reward (eq. 6)       | `sdk.offdynamics.darc.corrected_reward`, Δr = −mismatch |

Deviations: observations and actions are standardised by the source. Codes are divided by their mean absolute value, so
that a mismatch has a scale; it is the mean over their numbers. Terminations are not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer
from sdk.offdynamics.alarms import Alarms, common_alarms
from sdk.offdynamics.kept_rows import KeptRows
from sdk.offdynamics.settings import RewardCorrection
from sdk.offdynamics.transitions import Transitions


def mismatch(foretold: Tensor, code: Tensor) -> Tensor:
    """Return the mean squared difference `[M]` of codes `[M, Z]`."""
    return ((foretold - code) ** 2).mean(-1)


class LatentDynamics(nn.Module):
    """A code of what is observed, as wide as the last hidden layer, and what follows it under an action."""

    def __init__(self, obs: int, action: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.moments = Normalizer(obs + action)
        self.encoder = mlp([obs, *hidden, hidden[-1]])
        self.dynamics = mlp([hidden[-1] + action, *hidden, hidden[-1]])
        self._obs = obs

    def forward(self, rows: Transitions) -> Tensor:
        """Return the mismatch of rows `[M]`."""
        here = self.moments(torch.cat([rows.obs, rows.action], -1))
        there = self.moments(torch.cat([rows.next_obs, rows.action], -1))[:, : self._obs]
        foretold = self.dynamics(torch.cat([self.code(here[:, : self._obs]), here[:, self._obs :]], -1))
        return mismatch(foretold, self.code(there).detach())

    def code(self, obs: Tensor) -> Tensor:
        """Return the codes `[M, Z]` of standardised observations."""
        code = self.encoder(obs)
        scaled: Tensor = code / code.abs().mean(-1, keepdim=True).clamp(min=1e-6)
        return scaled


@dataclass(frozen=True)
class ParAlarms(Alarms):
    """Beside what every method tells: the mismatch of rows of either domain that were never trained on."""

    mismatch_source: float
    mismatch_target: float


class Par:
    """The latent dynamics, their optimiser, and the last rows of each domain."""

    def __init__(self, obs: int, action: int, settings: RewardCorrection, seed: int) -> None:
        self.settings, self.seed = settings, seed
        with torch.random.fork_rng(devices=[]):  # the policy's own luck stays what it was
            torch.manual_seed(seed)
            self.latent = LatentDynamics(obs, action, settings.hidden)
        self.optimizer = torch.optim.Adam(self.latent.parameters(), lr=settings.lr)
        self.kept = KeptRows(settings)

    def observe(self, source: Transitions, target: Transitions | None) -> None:
        """Take in new rows of either domain; of the target none where there are no new ones."""
        self.latent.moments.update(torch.cat([source.obs, source.action], -1))
        self.kept.add_both(source, target)

    def train(self, iteration: int) -> None:
        """Descend the mismatch on rows of the target."""
        rng = keyed_rng(self.seed, "par", iteration, "batches")
        for _ in range(self.settings.updates):
            loss = self.latent(self.kept.draw("target", self.settings.batch, rng)).mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def delta(self, rows: Transitions) -> Tensor:
        """Return minus the mismatch `[M]`, without a clip."""
        return -self.latent(rows)

    @torch.no_grad()
    def alarms(self, delta: Tensor, reward: Tensor, episode_steps: float) -> ParAlarms:
        """Return what there is to watch, for Δr `[M]` and rewards `[…]` of the source's steps."""
        source, target = (float(self.latent(self.kept.held_out(name)).mean()) for name in ("source", "target"))
        common = common_alarms(delta, reward, self.kept.size("target"), self.settings, episode_steps)
        return ParAlarms(**common, mismatch_source=source, mismatch_target=target)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training changes."""
        networks = {"latent": self.latent.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**networks, "kept": self.kept.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.latent.load_state_dict(state["latent"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.kept.load_state_dict(state["kept"])
