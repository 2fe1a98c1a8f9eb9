"""A learned optimiser: one small recurrent network turns each weight's gradients into updates (Andrychowicz 2016).

    for each trial: θᵢ ← θ, memory m ← 0 for each weight
        after each batch of episodes, g the gradient of J(θᵢ; these episodes), r their mean reward:
            m ← GRU(log |g|, sign g, r; m)      for each weight by itself, with shared parameters
            θᵢ ← θᵢ + α (g · exp(2 tanh(v m)) + rms(g) · w m)
    (θ, GRU, v, w) ← TRPO or Adam step on Σᵢ J(θᵢ; the later episodes), through all updates

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| coordinate-wise recurrence (Andrychowicz 2016, section 2.1) | `LearnedRule`                            |
| log |g| and sign (Andrychowicz 2016, appendix A)| `features`                                           |
| loss history as an input (Chen et al. 2017; Li and Malik 2017) | `features`                            |

v and w begin at 0: until it has learned, the rule is SGD with the step size `inner_lr`, which is MAML. v makes steps
longer or shorter as rewards rise, w moves weights whatever their gradient's size. A robot carries the memories beside
the weights.

Deviations: the initial weights are learned with the rule. No derivative passes through what the network reads, only
through g itself (as in Andrychowicz 2016, which drops that too). Gradients are shortened as elsewhere, and an update is
at most `LONGER` times as long as the longest of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from export.manifest import AdaptationSpec, CarryState
from sdk.algos.base import Algorithm, Sizes
from sdk.nn.adapting import AdaptableMlp, AdaptingPolicy, InnerObjective, on_policy
from sdk.nn.episode_encoder import squeezed
from sdk.nn.layers import affine
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import Episodes, masked_mean
from sdk.rl.inner_step import shortened
from sdk.rl.meta_learner import MetaLearner
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.rollout import Carry

if TYPE_CHECKING:
    from sdk.config import TrainConfig

SCALE = 7.0
"""Appendix A's p. Gradients below e⁻⁷ are read as they are: rounding alone may decide their logarithm and sign."""

LONGER = 4.0
"""How much longer than a plain step an update may be: what a robot accepts of it."""


class LearnedOptimizerConfig(MetaConfig):
    """The keys under `method`."""

    units: int = Field(default=4, ge=1, description="numbers that the rule remembers for each weight")


def features(gradient: Tensor, reward: Tensor) -> Tensor:
    """Return what the rule reads for each weight `[N, P, 3]`, of gradients `[N, P]` and mean rewards `[N]`.

    (log |g| / p, sign g) where |g| ≥ e⁻ᵖ, otherwise (−1, eᵖ g): continuous (Andrychowicz 2016, appendix A).
    """
    size = gradient.abs().clamp(min=math.exp(-SCALE)).log() / SCALE
    direction = (math.exp(SCALE) * gradient).clamp(-1, 1)
    told = squeezed(reward)[:, None].expand_as(gradient)
    return torch.stack([size, direction, told], -1).detach()


class LearnedRule(nn.Module):
    """A gated recurrent unit and its readout, the same for each weight; the readouts begin at 0."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.gates = nn.Linear(3 + units, 2 * units)
        self.new = nn.Linear(3 + units, units)
        self.readout = nn.Parameter(torch.zeros(units, 2))

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return factors of the gradient `[N, P]`, what is added in units of its size, and the memory `[N, P, H]`."""
        reset, keep = affine(self.gates, torch.cat([x, memory], -1)).sigmoid().chunk(2, -1)
        new = torch.tanh(affine(self.new, torch.cat([x, reset * memory], -1)))
        memory = keep * memory + (1 - keep) * new
        factor, added = (memory @ self.readout).unbind(-1)
        return (2 * torch.tanh(factor)).exp(), added, memory


class SelfTaughtPolicy(AdaptingPolicy):
    """Acts on the observation; its weights adapt by a learned rule, whose memory lies behind them, `[N, P + P · H]`."""

    def __init__(self, sizes: Sizes, config: TrainConfig, settings: LearnedOptimizerConfig) -> None:
        actor = AdaptableMlp([sizes.obs, *config.policy.hidden, sizes.action], config.policy.head_gain)
        super().__init__(sizes, config.policy, actor, actor.adapted, settings.rule())
        self.weights = actor.adapted
        self.learned = LearnedRule(settings.units)
        self.carry_spec += (CarryState(name="memory", shape=(self.weights * settings.units,)),)

    @property
    def adaptation(self) -> AdaptationSpec:
        """What a robot must know to adapt: an update may be longer than a plain step."""
        spec = super().adaptation
        return spec.model_copy(update={"step_norm": LONGER * spec.step_norm})

    def blank(self, size: int) -> Tensor:
        """Return no change and no memory, for `size` trials."""
        return torch.cat(self.initial_carry(size), -1)

    def adapt(self, episodes: tuple[Tensor, ...], carry: Carry) -> Carry:
        """Return the carry after one round on episodes (the fields of `Episodes`) that were played with `carry`."""
        after = self.adapted_by(Episodes(*episodes), torch.cat(carry, -1))
        return after[:, : self.weights], after[:, self.weights :]

    def actions(self, episodes: Episodes, adapted: Tensor) -> ActionDistribution:
        """Return the distribution over actions, which the rule's memory has no part in."""
        return super().actions(episodes, adapted[:, : self.weights])

    def adapted_by(
        self,
        episodes: Episodes,
        adapted: Tensor,
        objective: InnerObjective = on_policy,
        first_order: bool = False,
    ) -> Tensor:
        """Return weights and memory after one round, differentiable by the shared weights and the rule."""
        loss, (weights, memory) = self.loss(episodes, objective), adapted.split([self.weights, self._remembered], -1)
        slope = torch.func.grad(lambda x: loss(x).sum())(weights)
        if first_order:
            slope = slope.detach()
        x = features(slope, masked_mean(episodes.reward, episodes.mask))
        factor, added, memory = self.learned(x, memory.unflatten(-1, (self.weights, self.learned.units)))
        slope = shortened(slope, self.rule.max_norm)
        size = (slope.square().mean(-1, keepdim=True) + 1e-12).sqrt().detach()
        update = shortened(slope * factor + size * added, LONGER * self.rule.max_norm)
        return torch.cat([weights - self.share(weights) * self.step_size * update, memory.flatten(1)], -1)

    @property
    def _remembered(self) -> int:
        return self.weights * self.learned.units


def build(sizes: Sizes, config: TrainConfig) -> SelfTaughtPolicy:
    """Build π(a | s) whose weights adapt by a learned rule."""
    return SelfTaughtPolicy(sizes, config, LearnedOptimizerConfig.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> MetaLearner:
    """Return the outer loop."""
    assert isinstance(policy, SelfTaughtPolicy)
    return MetaLearner(policy, LearnedOptimizerConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "learned_optimizer",
    "Andrychowicz et al. 2016",
    "weights that a small recurrent network adapts",
    True,
    build,
    learner,
    LearnedOptimizerConfig,
    played,
)
