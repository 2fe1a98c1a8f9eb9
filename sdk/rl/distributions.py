"""Action distributions as small pure objects: what a policy's head means, and how keyed noise becomes an action.

A policy's step returns the parameters of one of two: the mean of a Gaussian, or the logits of a Categorical whose
actions are one-hot vectors. A policy whose spread depends on what it reads draws from a squashed Gaussian itself.
Without noise all act greedily.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from sdk.rl.objectives import HALF_LOG_2PI, gaussian_entropy, gaussian_log_prob


class ActionDistribution(Protocol):
    """What collection and learning need of a distribution over actions `[…, A]`."""

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]: ...
    def log_prob(self, action: Tensor) -> Tensor: ...
    def entropy(self) -> Tensor: ...
    def kl(self, other: Any) -> Tensor: ...
    def detach(self) -> Any: ...
    def at(self, steps: Tensor) -> Any: ...


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian around `mean` `[…, A]`, one log spread an action."""

    mean: Tensor
    log_std: Tensor

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the action for standard normal `noise`, and its log-density."""
        action = self.mean + self.log_std.exp() * noise
        return action, (-0.5 * noise**2 - self.log_std - HALF_LOG_2PI).sum(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        return gaussian_log_prob(action, self.mean, self.log_std)

    def entropy(self) -> Tensor:
        return gaussian_entropy(self.log_std)

    def kl(self, other: Gaussian) -> Tensor:
        """Return KL(self ‖ other) in nats `[…]`."""
        variances = (2 * (self.log_std - other.log_std)).exp() + ((self.mean - other.mean) / other.log_std.exp()) ** 2
        return (other.log_std - self.log_std + 0.5 * (variances - 1)).sum(-1)

    def detach(self) -> Gaussian:
        """Return the distribution as a constant."""
        return Gaussian(self.mean.detach(), self.log_std.detach().clone())

    def at(self, steps: Tensor) -> Gaussian:
        """Return that of some steps, for a mean `[T, N, A]`."""
        return Gaussian(self.mean[steps], self.log_std)


@dataclass(frozen=True)
class Categorical:
    """A choice of one of A actions by `logits` `[…, A]`; an action is a one-hot vector."""

    logits: Tensor

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the one-hot action for Gumbel `noise`, and its log-probability (the Gumbel-max trick)."""
        chosen = (self.logits + noise).argmax(-1)
        action = one_hot(chosen, self.logits.shape[-1]).to(self.logits.dtype)
        return action, self.log_prob(action)

    def log_prob(self, action: Tensor) -> Tensor:
        return (action * self.logits.log_softmax(-1)).sum(-1)

    def entropy(self) -> Tensor:
        log_p = self.logits.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def kl(self, other: Categorical) -> Tensor:
        """Return KL(self ‖ other) in nats `[…]`."""
        log_p = self.logits.log_softmax(-1)
        return (log_p.exp() * (log_p - other.logits.log_softmax(-1))).sum(-1)

    def detach(self) -> Categorical:
        """Return the distribution as a constant."""
        return Categorical(self.logits.detach())

    def at(self, steps: Tensor) -> Categorical:
        """Return that of some steps, for logits `[T, N, A]`."""
        return Categorical(self.logits[steps])


@dataclass(frozen=True)
class SquashedGaussian:
    """tanh of a diagonal Gaussian: actions in (−1, 1); `mean` and `log_std` `[…, A]` are those before squashing."""

    mean: Tensor
    log_std: Tensor

    @property
    def greedy(self) -> Tensor:
        """The action without noise, `[…, A]`."""
        return self.mean.tanh()

    def noisy(self, noise: Tensor) -> Tensor:
        """Return the action for standard normal `noise`."""
        return (self.mean + self.log_std.exp() * noise).tanh()

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the action for standard normal `noise`, and its log-density (Haarnoja 2018, appendix C).

        log(1 − tanh²u) = 2 (log 2 − u − softplus(−2u)) holds where the left side would underflow.
        """
        u, log_prob = Gaussian(self.mean, self.log_std).sample(noise)
        return u.tanh(), log_prob - 2 * (math.log(2) - u - softplus(-2 * u)).sum(-1)


def distribution(head: Tensor, log_std: Tensor | None) -> ActionDistribution:
    """Return the distribution that a policy's head stands for: actions without a spread are discrete."""
    return Categorical(head) if log_std is None else Gaussian(head, log_std)


def exploration_noise(rng: np.random.Generator, shape: tuple[int, int], discrete: bool) -> np.ndarray:
    """Draw what `sample` takes, float32: standard normal, or standard Gumbel for discrete actions."""
    if discrete:
        return rng.gumbel(size=shape).astype(np.float32)
    return rng.standard_normal(shape, dtype=np.float32)
