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
clipped and weighted. Rows of the target train the classifiers only, never the policy.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from domain_rand.randomizer import keyed_rng
from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer
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
class Alarms:
    """What tells whether a correction can be trusted; Δr of the source's steps, accuracies on rows never trained on.

    An accuracy of 0.5 means that the domains look alike to that classifier. `reachable` [nats] is how far Δr can fall
    with so many target rows, were they all about one (s, a); `penalty_steps` and `penalty_episodes` what a whole clip
    costs, in mean rewards of a step and of an episode.
    """

    accuracy_action: float
    accuracy_transition: float
    delta_mean: float
    delta_q05: float
    delta_q95: float
    clipped: float
    target_rows: float
    reachable: float
    penalty_steps: float
    penalty_episodes: float

    def metrics(self) -> dict[str, float]:
        """Return the numbers by name, for a row of a run's metrics."""
        return {f"correction_{name}": value for name, value in asdict(self).items()}


def reachable(target_rows: int) -> float:
    """Return the largest −Δr [nats] that so many rows of the target can support, log(rows)."""
    return math.log(max(1, target_rows))


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
        self.kept: dict[str, Transitions] = {}

    def observe(self, source: Transitions, target: Transitions | None) -> None:
        """Take in new rows of either domain; of the target none where there are no new ones."""
        self.classifier.observe(source)
        self._keep("source", source, self.settings.source_rows)
        if target is not None:
            self._keep("target", target, self.settings.target_rows)

    def train(self, iteration: int) -> None:
        """Descend both losses on batches half source, half target."""
        rng = keyed_rng(self.seed, "darc", iteration, "batches")
        half = self.settings.batch // 2
        for _ in range(self.settings.updates):
            source, target = self._draw("source", half, rng), self._draw("target", half, rng)
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
    def alarms(self, delta: Tensor, reward: Tensor, episode_steps: float) -> Alarms:
        """Return what there is to watch, for Δr `[M]` and rewards `[M]` of the source's steps."""
        settings, rows = self.settings, self.kept["target"].size
        source, target = (self.classifier(self.kept[f"{name}/held_out"]) for name in ("source", "target"))
        low, high = np.quantile(delta.numpy(), [0.05, 0.95])
        step = max(float(reward.abs().mean()), 1e-12)
        penalty = settings.weight * settings.clip / step
        return Alarms(
            accuracy_action=accuracy(source[0], target[0]),
            accuracy_transition=accuracy(source[1], target[1]),
            delta_mean=float(delta.mean()),
            delta_q05=float(low),
            delta_q95=float(high),
            clipped=float((delta.abs() > settings.clip).float().mean()),
            target_rows=float(rows),
            reachable=reachable(rows),
            penalty_steps=penalty,
            penalty_episodes=penalty / episode_steps,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training changes."""
        kept = {name: tuple(rows) for name, rows in self.kept.items()}
        return {
            "classifier": self.classifier.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "kept": kept,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.classifier.load_state_dict(state["classifier"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.kept = {name: Transitions(*rows) for name, rows in state["kept"].items()}

    def _keep(self, name: str, rows: Transitions, capacity: int) -> None:
        train, held_out = rows.held_out(self.settings.held_out)
        for key, new in ((name, train), (f"{name}/held_out", held_out)):
            both = Transitions.join([self.kept[key], new]) if key in self.kept else new
            self.kept[key] = Transitions(*(x.clone() for x in both.last(capacity)))

    def _draw(self, name: str, count: int, rng: np.random.Generator) -> Transitions:
        return self.kept[name].rows(torch.from_numpy(rng.integers(0, self.kept[name].size, count)))

    def _noise(self, count: int, rng: np.random.Generator) -> Tensor:
        shape = count, len(self.classifier.moments.mean)
        return self.settings.noise * torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
