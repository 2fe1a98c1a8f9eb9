"""DARC: pay a policy for transitions that the target can make too (Eysenbach et al. 2021).

    for each iteration:
        play in the source with the current policy; now and then in the target
        descend the cross-entropy of q(target | s, a) and q(target | s, a, s′) on half source, half target rows
        r ← r + λ · clip(Δr),  Δr = log q(t|s,a,s′) − log q(s|s,a,s′) − log q(t|s,a) + log q(s|s,a)
        improve the policy on the source's steps under the new r

| equation (section 4)                                    | where                       |
|---------------------------------------------------------|-----------------------------|
| Δr(s, a, s′) = log p_target / p_source, by Bayes' rule  | `delta_reward`              |
| r + Δr                                                  | `corrected_reward`          |
| the two classifiers                                     | `DomainClassifier`          |
| their losses                                            | `classifier_loss`           |

Of the second classifier only what it adds to the first is a network: log-odds(s, a, s′) = log-odds(s, a) + residual,
as in the authors' code. Δr is then the residual, so that nothing about (s, a) alone can leak into it. It starts as 0.

Deviations: inputs are (s, a, s′ − s, terminated), standardised by the source and clipped to ±5, their noise relative to
that: a fixed noise on raw inputs hides what a short control period changes. Ending is part of the dynamics. Δr is
clipped and weighted. Rows of the target train the classifiers; the critics only with `in_batch`, as they were paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from domain_rand.randomizer import keyed_rng
from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer
from sdk.offdynamics.alarms import Alarms, common_alarms, reachable
from sdk.offdynamics.kept_rows import KeptRows
from sdk.offdynamics.settings import RewardCorrection
from sdk.offdynamics.transitions import Transitions

CLIP_INPUT = 5.0
TINY = 1e-6
"""Standard deviation below which an input counts as constant in the source."""

Logits = tuple[Tensor, Tensor]
"""Log-odds that a row is the target's, given (s, a), and given (s, a, s′); `[M]` each."""


def delta_reward(logits: Logits) -> Tensor:
    """Return Δr = log p_target(s′ | s, a) − log p_source(s′ | s, a) `[M]` in nats (Eysenbach 2021, section 4)."""
    given_action, given_transition = logits
    return given_transition - given_action


def corrected_reward(reward: Tensor, delta: Tensor, weight: float, clip: float) -> Tensor:
    """Return r + weight · clip(Δr), all of one shape; `clip` in nats, `weight` in reward per nat."""
    return reward + weight * delta.clamp(-clip, clip)


def classifier_loss(source: Logits, target: Logits) -> Tensor:
    """Return the sum of both classifiers' mean cross-entropies in nats; 2 log 2 where neither knows anything."""
    pairs = zip(source, target, strict=True)
    return sum((softplus(s).mean() + softplus(-t).mean() for s, t in pairs), torch.zeros(())) / 2


class DomainClassifier(nn.Module):
    """Log-odds that a row is the target's: one network for (s, a), and one for what s′ adds."""

    def __init__(self, obs: int, action: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.known = obs + action
        self.moments = Normalizer(self.known + obs + 1)
        self.given_action = mlp([self.known, *hidden, 1], last_gain=0.0)
        self.residual = mlp([self.known + obs + 1, *hidden, 1], last_gain=0.0)

    def observe(self, source: Transitions) -> None:
        """Take rows of the source into the standardisation."""
        self.moments.update(raw_inputs(source))

    def forward(self, rows: Transitions, noise: Tensor | None = None) -> Logits:
        """Return both log-odds; `noise` `[M, inputs]`, in standard deviations, in training only."""
        x = (raw_inputs(rows) - self.moments.mean) / self.moments.var.sqrt().clamp(min=TINY)
        x = x.clamp(-CLIP_INPUT, CLIP_INPUT) + (0.0 if noise is None else noise)
        given_action = self.given_action(x[:, : self.known])[:, 0]
        return given_action, given_action + self.residual(x)[:, 0]


def raw_inputs(rows: Transitions) -> Tensor:
    """Return (s, a, s′ − s, terminated) `[M, 2 O + A + 1]`."""
    return torch.cat([rows.obs, rows.action, rows.next_obs - rows.obs, rows.terminated[:, None]], -1)


@dataclass(frozen=True)
class DarcAlarms(Alarms):
    """Beside what every method tells: accuracies on rows never trained on, 0.5 where the domains look alike.

    `reachable` [nats] is how far Δr can fall with so many target rows, were they all about one (s, a).
    """

    accuracy_action: float
    accuracy_transition: float
    reachable: float


def accuracy(source: Tensor, target: Tensor) -> float:
    """Return the share of rows on the right side, both domains counting the same; a tie is half right."""
    right = [((s > 0).double() + 0.5 * (s == 0).double()).mean() for s in (-source, target)]
    return float(sum(right) / 2)


class Darc:
    """Both classifiers, their optimiser, and the last rows of each domain to train and to judge them on."""

    def __init__(self, obs: int, action: int, settings: RewardCorrection, seed: int) -> None:
        self.settings, self.seed = settings, seed
        with torch.random.fork_rng(devices=[]):  # the policy's own luck stays what it was
            torch.manual_seed(seed)
            self.classifier = DomainClassifier(obs, action, settings.hidden)
        self.optimizer = torch.optim.Adam(self.classifier.parameters(), lr=settings.lr)
        self.kept = KeptRows(settings)

    def observe(self, source: Transitions, target: Transitions | None) -> None:
        """Take in new rows of either domain; of the target none where there are no new ones."""
        self.classifier.observe(source)
        self.kept.add_both(source, target)

    def train(self, iteration: int) -> None:
        """Descend both losses on batches half source, half target."""
        rng = keyed_rng(self.seed, "darc", iteration, "batches")
        half = self.settings.batch // 2
        for _ in range(self.settings.updates):
            source, target = self.kept.draw("source", half, rng), self.kept.draw("target", half, rng)
            self.descend(source, target, (self._noise(half, rng), self._noise(half, rng)))

    def descend(self, source: Transitions, target: Transitions, noise: tuple[Tensor, Tensor]) -> None:
        """Take one step of the optimiser on rows of both domains, with the noise of each."""
        loss = classifier_loss(self.classifier(source, noise[0]), self.classifier(target, noise[1]))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    @torch.no_grad()
    def delta(self, rows: Transitions) -> Tensor:
        """Return Δr `[M]` [nats] as the classifiers see it now, without noise or clip."""
        return delta_reward(self.classifier(rows))

    @torch.no_grad()
    def alarms(self, delta: Tensor, reward: Tensor, episode_steps: float) -> DarcAlarms:
        """Return what there is to watch, for Δr `[M]` and rewards `[…]` of the source's steps."""
        rows = self.kept.size("target")
        source, target = (self.classifier(self.kept.held_out(name)) for name in ("source", "target"))
        return DarcAlarms(
            **common_alarms(delta, reward, rows, self.settings, episode_steps),
            accuracy_action=accuracy(source[0], target[0]),
            accuracy_transition=accuracy(source[1], target[1]),
            reachable=reachable(rows),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training changes."""
        networks = {"classifier": self.classifier.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**networks, "kept": self.kept.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.classifier.load_state_dict(state["classifier"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.kept.load_state_dict(state["kept"])

    def _noise(self, count: int, rng: np.random.Generator) -> Tensor:
        shape = count, len(self.classifier.moments.mean)
        return self.settings.noise * torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
