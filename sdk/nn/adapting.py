"""A policy that adapts by gradient between episodes: what it adapts is its carry, constant while an episode lasts.

Adaptation is a second pure function, `adapt(episodes, carry) -> carry`, made of what `step` is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from export.manifest import ADAPTED, AdaptationSpec, CarryState
from sdk.nn.layers import affine, head, mlp, spread
from sdk.nn.normalizer import Normalizer
from sdk.rl.distributions import ActionDistribution, distribution
from sdk.rl.episodes import LONGEST, Episodes, reward_to_go
from sdk.rl.inner_step import Loss, gradient_step
from sdk.rl.linear_baseline import baseline_advantages
from sdk.rl.rollout import Carry, Rollout
from sdk.rl.surrogates import policy_gradient

if TYPE_CHECKING:
    from sdk.algos.base import Sizes
    from sdk.config import PolicyConfig

InnerObjective = Callable[[Tensor, Tensor, Episodes], Tensor]
"""From log-probabilities and advantages `[T, N]` of some episodes to what each task maximises on them, `[N]`."""


def on_policy(log_prob: Tensor, advantage: Tensor, episodes: Episodes) -> Tensor:
    """Return the policy-gradient surrogate."""
    return policy_gradient(log_prob, advantage, episodes.mask)


@dataclass(frozen=True)
class AdaptationRule:
    """When and how a policy adapts: after every `every` episodes of a trial, at most `rounds` times.

    A round is one step down the gradient, of `lr` times a gradient of norm ≤ `max_norm`; from the second round on, of
    `later_share` of that. Without a `reward_level`, advantages are standardised, against a baseline fitted
    to the batch: there is none in a single step.
    """

    every: int
    rounds: int
    lr: float
    later_share: float
    max_norm: float
    reward_level: float | None
    gamma: float
    gae_lambda: float


class AdaptableMlp(nn.Sequential):
    """A tanh network all of whose weights adapt: `adapted` is each task's difference to the shared weights."""

    def __init__(self, sizes: list[int], last_gain: float) -> None:
        super().__init__(*mlp(sizes, last_gain))
        self._parts = [p.numel() for p in self.parameters()]
        self.adapted = sum(self._parts)

    def forward(self, x: Tensor, adapted: Tensor) -> Tensor:  # type: ignore[override]
        """Return the output `[N, T, outputs]` for `x` `[N, T, inputs]` and `adapted` `[N, P]`."""
        changes = self.changes(adapted)
        for layer in self:
            x = changed(layer, x, next(changes), next(changes)) if isinstance(layer, nn.Linear) else layer(x)
        return x

    def changes(self, adapted: Tensor) -> Iterator[Tensor]:
        """Yield the changes of each layer's weights and bias, `[N, …]` flat."""
        yield from adapted.split(self._parts, -1)


def changed(layer: nn.Linear, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return what the layer makes of `x` `[N, T, inputs]` with its weights and bias changed by `[N, …]` flat."""
    change = weight.unflatten(-1, (layer.in_features, layer.out_features))
    return _product(x, layer.weight.T, change) + (layer.bias + bias)[:, None]


def written_out(network: nn.Sequential, x: Tensor) -> Tensor:
    """Return the network's output for `x` `[…, inputs]`, fit for an adapt graph."""
    for layer in network:
        x = affine(layer, x) if isinstance(layer, nn.Linear) else layer(x)
    return x


def _product(x: Tensor, weight: Tensor, change: Tensor) -> Tensor:
    """Return `x` (`weight` + `change`); for one row of `x` a task, adding the matrices would cost the most."""
    return x @ weight + x @ change if x.shape[1] == 1 else x @ (weight + change)


class AdaptingPolicy(nn.Module):
    """Acts on the observation through an actor that adapts; the spread of its actions does not.

    Raises `ConfigError` where no reward is reported: there would be nothing to follow.
    """

    inputs: tuple[str, ...] = ("obs",)
    carry_spec: tuple[CarryState, ...]
    reward_range: Tensor

    def __init__(
        self, sizes: Sizes, config: PolicyConfig, actor: nn.Module, adapted: int, rule: AdaptationRule
    ) -> None:
        """Make a policy of a network `(x [N, T, obs], adapted [N, P]) → [N, T, A]`; P numbers adapt, from zero."""
        super().__init__()
        if not sizes.reads_reward:
            raise ConfigError(
                "this policy adapts by the rewards of its episodes, and its robot or toy reports none; train one that "
                "infers from observations and actions, or choose a task with needs_reward: true"
            )
        self.rule = rule
        self.normalizer = Normalizer(sizes.obs)
        self.actor = actor
        self.log_std = spread(sizes.action, sizes.log_std(config))
        self.register_buffer("reward_range", torch.tensor([torch.inf, -torch.inf]))
        self.carry_spec = (CarryState(name=ADAPTED, shape=(adapted,)),)

    @property
    def step_size(self) -> Tensor | float:
        """Length of a step for a gradient of norm 1: one number, or one for each that adapts."""
        return self.rule.lr

    @property
    def adaptation(self) -> AdaptationSpec:
        """What a robot must know to adapt: rewards far outside those of training are not believed there."""
        assert self.log_std is not None
        low, high = (float(x) for x in self.reward_range)
        slack = 0.5 * (high - low) + 1e-6
        return AdaptationSpec(
            every=self.rule.every,
            rounds=self.rule.rounds,
            exploration=tuple(self.log_std.detach().exp().tolist()),
            reward=(low - slack, high + slack),
            step_norm=1.01 * float(torch.as_tensor(self.step_size).detach().abs().max()) * self.rule.max_norm,
            max_steps=self.rule.every * LONGEST,
        )

    def observe(self, rollout: Rollout) -> None:
        """Take in what training shows of observations and rewards."""
        self.normalizer.update(rollout.obs)
        low, high = self.reward_range
        self.reward_range.copy_(torch.stack([rollout.reward.min().minimum(low), rollout.reward.max().maximum(high)]))

    def initial_carry(self, size: int) -> Carry:
        """Return the unadapted state of `size` trials."""
        return tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in self.carry_spec)

    def bind_context(self, context: Tensor) -> None:
        """Ignore the true contexts: this policy finds what it needs by trying."""

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[M · N, A]` for M observations of each of N trials, and the carry as it was."""
        return self.head(obs.reshape(-1, len(carry[0]), obs.shape[-1]), carry[0]).flatten(0, 1), carry

    def blank(self, size: int) -> Tensor:
        """Return what `size` trials have adapted before their first round, `[size, P]`: nothing."""
        return self.initial_carry(size)[0]

    def adapt(self, episodes: tuple[Tensor, ...], carry: Carry) -> Carry:
        """Return the carry after one round on episodes (the fields of `Episodes`) that were played with `carry`."""
        return (self.adapted_by(Episodes(*episodes), carry[0]), *carry[1:])

    def head(self, obs: Tensor, adapted: Tensor) -> Tensor:
        """Return the head `[T, N, A]` for observations `[T, N, obs]` and what each trial has adapted `[N, P]`."""
        raw = self.actor(self.normalizer(obs).transpose(0, 1), adapted)
        return head(raw.transpose(0, 1), self.log_std)

    def actions(self, episodes: Episodes, adapted: Tensor) -> ActionDistribution:
        """Return the distribution over actions at each step of episodes, for what each trial has adapted `[N, P]`."""
        return distribution(self.head(episodes.obs, adapted), self.log_std)

    def advantages(self, episodes: Episodes) -> Tensor:
        """Return the advantages `[T, N]` that adaptation goes by."""
        if self.rule.reward_level is not None:
            above = episodes._replace(reward=episodes.reward - self.rule.reward_level)
            return reward_to_go(above, self.rule.gamma) * episodes.mask
        features = self.normalizer(episodes.obs)
        return baseline_advantages(episodes, features, self.rule.gamma, self.rule.gae_lambda)

    def adapted_by(
        self,
        episodes: Episodes,
        adapted: Tensor,
        objective: InnerObjective = on_policy,
        first_order: bool = False,
    ) -> Tensor:
        """Return `adapted` `[N, P]` after one round, differentiable by the shared weights."""
        loss = self.loss(episodes, objective)
        limits = {"max_norm": self.rule.max_norm, "first_order": first_order}
        return gradient_step(loss, adapted, self.share(adapted) * self.step_size, **limits)  # type: ignore[arg-type]

    def loss(self, episodes: Episodes, objective: InnerObjective) -> Loss:
        """Return what a round goes down, of what has been adapted."""
        advantage = self.advantages(episodes)

        def loss(x: Tensor) -> Tensor:
            return -objective(self.actions(episodes, x).log_prob(episodes.action), advantage, episodes)

        return loss

    def share(self, adapted: Tensor) -> Tensor:
        """Return the share of a step `[N, 1]` that is taken: less than 1 once something has been adapted."""
        return torch.where(unadapted(adapted), 1.0, self.rule.later_share)


def unadapted(adapted: Tensor) -> Tensor:
    """Return where nothing has been adapted yet, `[N, 1]`."""
    return (adapted == 0).all(-1, keepdim=True)
