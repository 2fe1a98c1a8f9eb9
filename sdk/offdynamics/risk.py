"""The value for which the corrected reward is exact, log E exp(return), where the plain mean is only a bound.

    log E_source[exp Σ(r + Δr)] = log E_target[exp Σ r]

for every policy, wherever the source can do all that the target can (importance weighting; Eysenbach et al. 2021,
section 4). By Jensen's inequality the mean of Σ(r + Δr) lies below.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def risk_sensitive(reward: Tensor, delta: Tensor) -> Tensor:
    """Return log mean exp(Σ_t r + Δr) `[]` over N episodes; `reward` and `delta` `[T, N]`, zeros after an end."""
    total = (reward + delta).sum(0)
    return torch.logsumexp(total, 0) - math.log(len(total))


def certainty_equivalent(returns: np.ndarray, scale: float) -> np.ndarray:
    """Return scale · log mean exp(return / scale) of returns `[…, N]`: the mean for a large scale, the best for 0."""
    exponent = returns / scale
    top = exponent.max(-1, keepdims=True)
    value: np.ndarray = scale * (top[..., 0] + np.log(np.exp(exponent - top).mean(-1)))
    return value


def exponential_values(p: np.ndarray, policy: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """Return log E exp(return) `[S]` of a policy `[T, S, A]` in dynamics p(s′ | s, a) `[S, A, S]`, paid `[S, A, S]`."""
    value = np.zeros(len(p))
    for choice in policy[::-1]:
        exponent = reward + value
        top = exponent.max((1, 2), keepdims=True)
        value = top[:, 0, 0] + np.log((choice[:, :, None] * p * np.exp(exponent - top)).sum((1, 2)))
    return value
