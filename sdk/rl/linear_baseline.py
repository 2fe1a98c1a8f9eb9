"""The linear feature baseline (Duan et al. 2016b), refit for each task and each adaptation, many tasks at once.

Elimination is written out, so that the fit, too, may become part of an ONNX graph.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sdk.rl.episodes import Episodes, masked_mean, reward_to_go, spread, standardized, sum_ahead

RIDGE = 1e-3
"""Penalty on the squares of coefficients of standardised features."""

FLOOR = 0.01
"""Advantages smaller than this share of the returns' spread are not blown up: they may be rounding errors."""


def baseline_features(obs: Tensor, time: Tensor) -> Tensor:
    """Return obs, obs² and what spans t, t², t³ `[T, N, F]` for observations `[T, N, O]` and times `[T, N]`.

    Legendre's polynomials stand for the powers, which are too much alike for single precision.
    """
    t = (2 * time / time.amax(0).clamp(min=1.0) - 1)[..., None]
    return torch.cat([obs, obs**2, t, 1.5 * t**2 - 0.5, 2.5 * t**3 - 1.5 * t], -1)


def solve(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return x `[N, F]` with `matrix` x = `vector`, for positive definite matrices `[N, F, F]` (Gauss and Jordan)."""
    size = matrix.shape[-1]
    rows = torch.cat([matrix, vector[..., None]], -1)
    for k in range(size):
        row = rows[:, k : k + 1] / rows[:, k : k + 1, k : k + 1]
        unit = torch.eye(size)[:, k : k + 1]
        rows = rows - (rows[:, :, k : k + 1] - unit) * row
    return rows[..., -1]


def linear_fit(features: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the least-squares prediction `[T, N]` of `target` `[T, N]` from features `[T, N, F]` and a constant.

    One fit for each of N tasks, over its steps with `mask` 1.
    """
    count = mask.sum(0).clamp(min=1.0)
    weight = mask[..., None]
    centred = (features - (features * weight).sum(0) / count[:, None]) * weight
    scaled = centred / ((centred**2).sum(0) / count[:, None] + 1e-6).sqrt()
    mean = masked_mean(target, mask)
    x, y = scaled.transpose(0, 1), ((target - mean) * mask).transpose(0, 1)[..., None]
    gram = x.transpose(1, 2) @ x / count[:, None, None] + RIDGE * torch.eye(features.shape[-1])
    coefficients = solve(gram, (x.transpose(1, 2) @ y)[..., 0] / count[:, None])
    return mean + (x @ coefficients[..., None])[..., 0].transpose(0, 1)


def baseline_advantages(episodes: Episodes, features: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Return standardised advantages `[T, N]` of each task's episodes against its own linear baseline.

    `features` `[T, N, O]` are the observations as the policy reads them. What would follow an episode is worth nothing,
    however it ended: the time left is among the features.
    """
    to_go, time = reward_to_go(episodes, gamma), episodes.time * episodes.mask
    value = linear_fit(baseline_features(features, time), to_go, episodes.mask)
    following = torch.cat([value[1:], torch.zeros_like(value[:1])]) * episodes.goes_on
    surprise = (episodes.reward + gamma * following - value) * episodes.mask
    advantage = sum_ahead(surprise, gamma * gae_lambda * episodes.goes_on)
    return standardized(advantage, episodes.mask, FLOOR * spread(to_go, episodes.mask))
