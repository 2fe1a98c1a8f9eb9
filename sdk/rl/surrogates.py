"""Surrogates of the expected return, whose derivatives estimate its gradient: all to be maximised, all `[N]`.

They differ in what their second derivatives estimate, and so in what a meta-gradient sees. Arguments are `[T, N]`,
`mask` 1 where a step counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sdk.rl.episodes import Episodes, masked_mean, sum_behind


def policy_gradient(log_prob: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of log π · A (Williams 1992): its gradient is right, its Hessian lacks a term."""
    return masked_mean(log_prob * advantage, mask)


def likelihood_ratio(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of π/π_old · A.

    With `old_log_prob` = `log_prob.detach()` it is the low variance curvature estimator (Rothfuss 2019, eq. 7).
    """
    return masked_mean((log_prob - old_log_prob).exp() * advantage, mask)


def clipped_ratio(
    log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, clip: float | None, mask: Tensor
) -> Tensor:
    """Return the mean of min(r A, clip(r, 1 ± `clip`) A) for r = π/π_old (Schulman 2017, eq. 7); none: of r A."""
    if clip is None:
        return likelihood_ratio(log_prob, old_log_prob, advantage, mask)
    ratio = (log_prob - old_log_prob).exp()
    return masked_mean(torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage), mask)


def exploration(log_prob: Tensor, old_log_prob: Tensor, credit: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of π/π_old times a credit `[N]` that all steps share: what followed from them together.

    Times the number of steps, its gradient is the second term of Stadie 2018's (section 3).
    """
    return likelihood_ratio(log_prob, old_log_prob, credit.expand_as(mask), mask)


def dice(log_prob: Tensor, advantage: Tensor, episodes: Episodes) -> Tensor:
    """Return 0, with derivatives of every order that are, on average, those of the return per step (Foerster 2018).

    There (eq. 6) each reward carries the probability of all that led to it. Summed by parts, each advantage carries the
    change that its own action makes to that probability (Farquhar 2019), and may contain any baseline of its state.
    """
    causes = sum_behind(log_prob * episodes.mask, episodes)
    before = causes - log_prob * episodes.mask
    return masked_mean((magic_box(causes) - magic_box(before)) * advantage, episodes.mask)


def magic_box(x: Tensor) -> Tensor:
    """Return exp(x − ⊥(x)): 1, but with the derivatives of the exponential."""
    return (x - x.detach()).exp()
