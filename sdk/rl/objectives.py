"""Losses as pure functions of tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def gaussian_log_prob(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log-density of a diagonal Gaussian, summed over the last dimension."""
    return (-0.5 * ((action - mean) / log_std.exp()) ** 2 - log_std - HALF_LOG_2PI).sum(-1)


def gaussian_entropy(log_std: Tensor) -> Tensor:
    """Return the entropy of a diagonal Gaussian in nats, summed over the last dimension."""
    return (log_std + 0.5 + HALF_LOG_2PI).sum(-1)


def ppo_clip_loss(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Return the clipped surrogate loss, a scalar to minimise (Schulman 2017, eq. 7)."""
    ratio = (log_prob - old_log_prob).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantage, clipped * advantage).mean()


def clipped_value_loss(value: Tensor, old_value: Tensor, target: Tensor, clip: float) -> Tensor:
    """Return half the squared error of the worse of the value and the value held near the old one."""
    held = old_value + (value - old_value).clamp(-clip, clip)
    return 0.5 * torch.maximum((value - target) ** 2, (held - target) ** 2).mean()


def standardize(x: Tensor) -> Tensor:
    """Return `x` with zero mean and unit standard deviation over all elements."""
    return (x - x.mean()) / (x.std() + 1e-8)
